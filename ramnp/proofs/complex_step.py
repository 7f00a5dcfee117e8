"""Derivatives by the complex step, exact to rounding: f'(x) = Im f(x + ih) / h.

Nothing is subtracted, so h can be far below rounding, where the error of the formula, of
order h², vanishes. The function must be analytic near x and branch on real parts.
"""

import numpy as np

STEP = 1e-20
TENSOR_LIMIT = 1e-12
COORDINATE_LIMIT = 1e-10


def derivatives(loss, arrays, step=STEP):
    """Return {name: array}, the derivative of a loss by every coordinate of arrays.

    loss takes {name: complex128 array}, with the names and shapes of arrays, and
    returns a scalar. It receives copies, which it may overwrite.
    """
    expected = {}
    for name, array in arrays.items():
        expected[name] = np.empty(array.shape)
        for index in np.ndindex(array.shape):
            shifted = {key: np.array(value, complex) for key, value in arrays.items()}
            shifted[name][index] += 1j * step
            expected[name][index] = np.imag(loss(shifted)) / step
    return expected


def worst_errors(gradients, expected):
    """Return {name: (tensor, coordinate)}, the relative errors of gradients.

    tensor is max |a - b| / max |b|, coordinate is max (|a - b| / |b|), for a in
    gradients and b in expected. Where b is 0, any a but 0 has an infinite error.
    Raises ValueError if names or shapes differ.
    """
    if gradients.keys() != expected.keys():
        raise ValueError(f"gradients of {[*gradients]}, expected of {[*expected]}")
    errors = {}
    for name, b in expected.items():
        a = gradients[name]
        if a.shape != b.shape:
            raise ValueError(f"{name}: shape {a.shape}, expected {b.shape}")
        difference = np.abs(a - b)
        errors[name] = (
            _ratio(difference.max(initial=0), np.abs(b).max(initial=0)),
            _ratio(difference, np.abs(b)),
        )
    return errors


def failures(gradients, expected, tensor=TENSOR_LIMIT, coordinate=COORDINATE_LIMIT):
    """Return {name: (tensor, coordinate)} of the errors beyond a limit: {} if none."""
    return {
        name: error
        for name, error in worst_errors(gradients, expected).items()
        # NaN fails this comparison.
        if not (error[0] <= tensor and error[1] <= coordinate)
    }


def flat(tree):
    """Return {"network.name": array} for {network: {name: array}}."""
    return {
        f"{network}.{name}": array
        for network, arrays in tree.items()
        for name, array in arrays.items()
    }


def nested(arrays):
    """Return {network: {name: array}} for {"network.name": array}."""
    tree = {}
    for key, array in arrays.items():
        network, name = key.split(".")
        tree.setdefault(network, {})[name] = array
    return tree


def _ratio(difference, scale):
    """Return the largest difference / scale, where 0 / 0 counts as 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(difference == 0, 0.0, difference / scale)
    return float(ratio.max(initial=0))
