"""Checks the answers to tutorial 2."""

import numpy as np

from ramnp.agent import layers
from ramnp.proofs import complex_step


def test_1_tanh_backward(answers, rng):
    """It is the complex step's derivative of tanh."""
    x, dy = rng.standard_normal((2, 3, 4))
    exact = complex_step.derivatives(lambda a: (dy * np.tanh(a["x"])).sum(), {"x": x})
    by_hand = {"x": answers.tanh_backward(dy, np.tanh(x))}
    assert complex_step.failures(by_hand, exact) == {}


def test_2_log_softmax_backward(answers, rng):
    """It is right where the loss uses every class."""
    z, dlog_p = rng.standard_normal((2, 3, 5))

    def loss(a):
        return (dlog_p * layers.log_softmax(a["z"])).sum()

    exact = complex_step.derivatives(loss, {"z": z})
    by_hand = {"z": answers.log_softmax_backward(dlog_p, layers.log_softmax(z))}
    assert complex_step.failures(by_hand, exact) == {}


def test_3_tensor(answers, rng):
    """It differentiates a network that uses one of its weights twice."""
    shapes = {"x": (4, 6), "W": (6, 6), "b": (6,), "V": (6, 5), "c": (5,)}
    arrays = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    labels = np.array([4, 0, 2, 0])

    def loss(a):
        h = layers.relu_forward(layers.affine_forward(a["x"], a["W"], a["b"]))
        h = layers.relu_forward(layers.affine_forward(h + a["x"], a["W"], a["b"]))
        logits = layers.affine_forward(h, a["V"], a["c"])
        return layers.cross_entropy_forward(logits, labels)[0].sum() / 4

    t = {name: answers.Tensor(array) for name, array in arrays.items()}
    h = (t["x"] @ t["W"] + t["b"]).relu()
    h = ((h + t["x"]) @ t["W"] + t["b"]).relu()
    value = (h @ t["V"] + t["c"]).cross_entropy(labels)
    assert np.isclose(value.data, loss(arrays), rtol=1e-12)
    value.backward()
    exact = complex_step.derivatives(loss, arrays)
    by_hand = {name: tensor.grad for name, tensor in t.items()}
    assert complex_step.failures(by_hand, exact, coordinate=1e-8) == {}
