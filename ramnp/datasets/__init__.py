"""Where images come from: MNIST, and the scenes composed from its digits."""
