"""Images: MNIST or a user's own, augmentation, and the scenes composed from them."""
