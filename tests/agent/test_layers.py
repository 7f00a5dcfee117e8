"""Affine map, rectifier and softmax cross-entropy: values, derivatives, dtypes."""

import math

import numpy as np
import pytest
from scipy.special import log_softmax as scipy_log_softmax

from ramnp.agent import layers
from ramnp.proofs.complex_step import derivatives, failures

B, IN, OUT = 5, 4, 3


def test_init_array_has_the_scale_it_names(rng):
    """Weights have mean 0 and standard deviation gain / √fan_in, and the dtype asked."""
    W = layers.init_array(rng, (400, 300), np.float32, gain=2.0, fan_in=50)
    assert W.shape == (400, 300) and W.dtype == np.float32
    assert abs(W.mean()) < 0.005
    assert W.std() == pytest.approx(2 / math.sqrt(50), rel=0.01)


def test_affine_is_its_double_sum(rng):
    """y_bj = Σ_i x_bi W_ij + b_j, with W as (in, out)."""
    x, W, b = (rng.standard_normal(s) for s in [(B, IN), (IN, OUT), OUT])
    y = layers.affine_forward(x, W, b)
    assert y.shape == (B, OUT)
    for row, col in np.ndindex(B, OUT):
        expected = sum(x[row, i] * W[i, col] for i in range(IN)) + b[col]
        assert y[row, col] == pytest.approx(expected)


def test_affine_gradients(rng):
    """dx, dW and db are the derivatives of a random projection of y."""
    arrays = {
        "x": rng.standard_normal((B, IN)),
        "W": rng.standard_normal((IN, OUT)),
        "b": rng.standard_normal(OUT),
    }
    dy = rng.standard_normal((B, OUT))
    expected = derivatives(lambda a: (dy * layers.affine_forward(**a)).sum(), arrays)
    dx, dW, db = layers.affine_backward(dy, arrays["x"], arrays["W"])
    assert not failures({"x": dx, "W": dW, "b": db}, expected)
    dW_alone, db_alone = layers.affine_weights_backward(dy, arrays["x"])
    assert np.array_equal(dW_alone, dW) and np.array_equal(db_alone, db)


def test_relu_and_its_gradient(rng):
    """y = max(x, 0), and x stays; dx is dy where y is positive, else 0."""
    x = np.array([[-1.5, 0.0, 2.0, -0.0, 1e-30]])
    dy = rng.standard_normal(x.shape)
    kept = x.copy()
    y = layers.relu_forward(x)
    assert np.array_equal(x, kept)
    assert y.tolist() == [[0, 0, 2, 0, 1e-30]]
    dx = layers.relu_backward(dy, y)
    assert dx.tolist() == [[0, 0, dy[0, 2], 0, dy[0, 4]]]

    x, dy = rng.standard_normal((2, B, OUT))
    expected = derivatives(lambda a: (dy * layers.relu_forward(a["x"])).sum(), {"x": x})
    y = layers.relu_forward(x.copy())
    assert not failures({"x": layers.relu_backward(dy, y)}, expected)


def test_log_softmax_at_ordinary_and_huge_logits(rng):
    """It equals SciPy's, adds up to 1, and stays finite where exp overflows."""
    logits = rng.standard_normal((2, B, OUT)) * 3
    logits[0, 0] = 1e4, -1e4, 0
    log_p = layers.log_softmax(logits)
    assert log_p.shape == logits.shape
    assert np.allclose(log_p, scipy_log_softmax(logits, axis=-1))
    assert np.allclose(np.exp(log_p).sum(axis=-1), 1)


def test_cross_entropy_and_its_gradient(rng):
    """-log p(label) per row and step, and the derivative of its weighted sum."""
    logits = rng.standard_normal((2, B, OUT))
    labels = rng.integers(OUT, size=(2, B))
    dloss = rng.standard_normal((2, B))
    loss, log_p = layers.cross_entropy_forward(logits, labels)
    assert loss.shape == (2, B) and log_p.shape == logits.shape
    for step, row in np.ndindex(2, B):
        p = np.exp(logits[step, row])
        p /= p.sum()
        assert loss[step, row] == pytest.approx(-math.log(p[labels[step, row]]))

    def projected(arrays):
        return (dloss * layers.cross_entropy_forward(arrays["z"], labels)[0]).sum()

    dlogits = layers.cross_entropy_backward(dloss, log_p, labels)
    assert not failures({"z": dlogits}, derivatives(projected, {"z": logits}))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_dtype_in_is_dtype_out(rng, dtype):
    """Nothing widens or narrows: outputs and gradients keep the dtype given."""
    x, W, b = (rng.standard_normal(s).astype(dtype) for s in [(B, IN), (IN, OUT), OUT])
    labels = np.zeros(B, int)
    y = layers.relu_forward(layers.affine_forward(x, W, b))
    loss, log_p = layers.cross_entropy_forward(y, labels)
    dy = layers.cross_entropy_backward(loss, log_p, labels)
    outputs = [y, loss, log_p, dy, layers.relu_backward(dy, y)]
    outputs += layers.affine_backward(dy, x, W)
    assert {output.dtype for output in outputs} == {np.dtype(dtype)}


def test_complex_step_passes_through_the_branches():
    """Where a value decides a branch, its real part does; both parts go on."""
    x = np.array([[2 + 1e-20j, -2 + 1e-20j, 1e-3 - 5e-20j]])
    logits = x.copy()
    assert layers.relu_forward(x).tolist() == [[2 + 1e-20j, 0, 1e-3 - 5e-20j]]
    log_p = layers.log_softmax(logits)
    assert np.allclose(log_p.real, layers.log_softmax(logits.real))
    assert np.any(log_p.imag)
