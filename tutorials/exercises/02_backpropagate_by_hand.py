"""Exercises to chapter 2: replace each `raise` by your answer."""


def tanh_backward(dy, y):
    """Return dx for y = tanh(x), elementwise, from dy and y alone."""
    raise NotImplementedError("exercise 2.1")


def log_softmax_backward(dlog_p, log_p):
    """Return dz (B, classes), where log_p = z - log Σ exp z, row by row.

    The loss may use every class: dlog_p (B, classes) is any array.
    """
    raise NotImplementedError("exercise 2.2")


class Tensor:
    """An array that remembers what was done to it.

    Tensor(array) has .data. Operations give new tensors:
        a + b                     as NumPy adds, a bias (out,) to rows (B, out) too
        a @ b                     of two matrices
        a.relu()
        a.cross_entropy(labels)   the mean of -log p(label) over rows, a scalar
    After scalar.backward(), every tensor that took part holds its gradient in .grad,
    of the shape of .data. A tensor that was used several times holds the sum.
    """

    def __init__(self, data):
        raise NotImplementedError("exercise 2.3")
