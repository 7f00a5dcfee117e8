"""Checks the answers to chapter 2."""

import numpy as np

from ramnp.agent import layers
from ramnp.proofs import complex_step

HINTS = {
    1: (
        "what is the derivative of tanh, written with tanh itself?",
        "tanh' = 1 - tanh²; and dy is multiplied by it, entry by entry.",
    ),
    2: (
        "z_i is used in every log p_j of its row: sum over all of these uses.",
        "∂ log p_j / ∂ z_i = [j = i] - p_i.",
        "p is exp(log_p).",
    ),
    3: (
        (
            "let each operation return a Tensor that keeps the tensors it came from and a "
            "function from its gradient to theirs."
        ),
        (
            "backward() has to visit a tensor only after all that were made of it: order "
            "them by depth first search, and go through the order from the end."
        ),
        (
            "add to .grad, never set it: a tensor may be used twice. Where + repeated a "
            "bias over rows, its gradient is the sum over rows."
        ),
    ),
}


def test_1_tanh_backward(answers, check, rng):
    """It is the complex step's derivative of tanh."""
    x, dy = rng.standard_normal((2, 3, 4))
    exact = complex_step.derivatives(lambda a: (dy * np.tanh(a["x"])).sum(), {"x": x})
    check("dx", answers.tanh_backward(dy, np.tanh(x)), exact["x"])


def test_2_log_softmax_backward(answers, check, rng):
    """It is right where the loss uses every class."""
    z, dlog_p = rng.standard_normal((2, 3, 5))

    def loss(a):
        return (dlog_p * layers.log_softmax(a["z"])).sum()

    exact = complex_step.derivatives(loss, {"z": z})
    check("dz", answers.log_softmax_backward(dlog_p, layers.log_softmax(z)), exact["z"])


def test_3_tensor(answers, check, rng):
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
    check("the loss", value.data, loss(arrays))
    value.backward()
    exact = complex_step.derivatives(loss, arrays)
    for name, tensor in t.items():
        check(f"the gradient of {name}", tensor.grad, exact[name], rtol=1e-8)
