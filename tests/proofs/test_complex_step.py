"""The checker is checked: it is exact, and notices what is slightly wrong."""

import numpy as np
import pytest

from ramnp.proofs.complex_step import derivatives, failures, flat, nested, worst_errors


def test_derivatives_are_exact_to_rounding(rng):
    """For a function with known derivatives the error is a few roundings."""
    arrays = {"x": rng.standard_normal((2, 3)), "y": rng.standard_normal(3)}

    def loss(a):
        return (np.exp(a["x"]) * np.tanh(a["y"])).sum()

    expected = {
        "x": np.exp(arrays["x"]) * np.tanh(arrays["y"]),
        "y": np.exp(arrays["x"]).sum(axis=0) / np.cosh(arrays["y"]) ** 2,
    }
    found = derivatives(loss, arrays)
    assert {name: array.shape for name, array in found.items()} == {
        "x": (2, 3),
        "y": (3,),
    }
    for tensor, coordinate in worst_errors(found, expected).values():
        assert tensor < 1e-15 and coordinate < 5e-15


def test_loss_may_write_over_its_arrays(rng):
    """What a loss does to its arguments reaches neither the caller nor other steps."""
    arrays = {"x": rng.standard_normal(4)}
    before = arrays["x"].copy()

    def loss(a):
        a["x"] *= a["x"]
        return a["x"].sum()

    assert np.allclose(derivatives(loss, arrays)["x"], 2 * before, rtol=1e-15)
    assert (arrays["x"] == before).all()


def test_branches_on_the_real_part():
    """A maximum next to its kink has the derivative of its own side."""
    arrays = {"x": np.array([1e-15, -1e-15])}
    found = derivatives(lambda a: np.maximum(a["x"], 0).sum(), arrays)["x"]
    assert found.tolist() == [1, 0]


def test_worst_errors_are_relative():
    """Errors are measured by the tensor's largest entry, and by the entry itself."""
    expected = {"W": np.array([[100.0, 1.0]])}
    errors = worst_errors({"W": np.array([[100.0, 1.5]])}, expected)
    assert errors == {"W": (0.005, 0.5)}


def test_zero_must_be_zero():
    """Where the derivative is 0, 0 is no error and anything else is infinite."""
    zero = {"W": np.zeros(2)}
    assert worst_errors(zero, zero) == {"W": (0, 0)}
    assert worst_errors({"W": np.array([0, 1e-300])}, zero) == {"W": (np.inf, np.inf)}
    sparse = {"W": np.array([1.0, 0.0])}
    assert worst_errors({"W": np.array([1.0, 1e-300])}, sparse)["W"][1] == np.inf


@pytest.mark.parametrize("wrong", [1.001, -1, 1 + 1e-9, 0, np.nan, np.inf])
def test_failures_name_the_wrong_tensor(rng, wrong):
    """A gradient off by a thousandth, or by far less, is a failure; no other is."""
    expected = {"W": rng.standard_normal((3, 4)), "b": rng.standard_normal(4)}
    gradients = {name: array.copy() for name, array in expected.items()}
    assert failures(gradients, expected) == {}
    gradients["W"][1, 2] *= wrong
    assert failures(gradients, expected).keys() == {"W"}


def test_small_coordinates_count(rng):
    """A coordinate too small for the tensor's error to show has an error of its own."""
    expected = {"W": np.array([1.0, 1e-14])}
    gradients = {"W": np.array([1.0, 1.001e-14])}
    tensor, coordinate = failures(gradients, expected)["W"]
    assert tensor < 1e-12 and coordinate > 1e-10


def test_names_and_shapes_must_agree():
    """A gradient that is missing, left over or of another shape is an error."""
    expected = {"W": np.ones((2, 3))}
    for gradients in ({}, expected | {"b": np.ones(1)}, {"W": np.ones((3, 2))}):
        with pytest.raises(ValueError, match="W"):
            worst_errors(gradients, expected)


def test_flat_and_nested_are_inverse():
    """A tree of parameters becomes one level of names, and back."""
    tree = {"core": {"W_h": 1, "b_h": 2}, "action": {"W_a": 3}}
    assert flat(tree) == {"core.W_h": 1, "core.b_h": 2, "action.W_a": 3}
    assert nested(flat(tree)) == tree
