"""The second oracle: right where it may be used, and refused at kinks."""

import numpy as np
import pytest

from ramnp.agent import glimpse_network, layers
from ramnp.proofs import finite_differences
from ramnp.proofs.subjects import Subject


def test_derivatives_of_a_polynomial(rng):
    """The derivative of x³ is 3 x², up to a step squared."""
    arrays = {"x": rng.standard_normal((2, 3))}
    found = finite_differences.derivatives(lambda a: (a["x"] ** 3).sum(), arrays)
    assert np.allclose(found["x"], 3 * arrays["x"] ** 2, atol=1e-9)


def rectified_sum(a):
    return layers.relu_forward(a["x"].copy()).sum()


def test_a_kink_between_the_points_is_refused():
    """A unit that lies nearer to its kink than the step makes the difference useless."""
    arrays = {"x": np.array([1.0, 3e-6])}
    with pytest.raises(finite_differences.RectifierCrossed, match="1"):
        finite_differences.derivatives(rectified_sum, arrays, step=1e-5)
    found = finite_differences.derivatives(rectified_sum, arrays, step=1e-6)
    assert np.allclose(found["x"], 1)


def test_kinks_can_be_let_through():
    """Unless asked not to, and then the difference is a mean of both sides."""
    arrays = {"x": np.array([0.0])}
    found = finite_differences.derivatives(rectified_sum, arrays, refuse_kinks=False)
    assert np.allclose(found["x"], 0.5)


def test_every_rectifier_is_watched(rng):
    """The rectifiers in the networks are seen as well, and left as they were."""
    params = glimpse_network.init(rng, 4, 5, 6, 7, np.float64)  # biases are 0
    rho, l = np.zeros((1, 4)), rng.standard_normal((1, 2))

    def loss(a):
        return glimpse_network.forward(a, rho, l)[0].sum()

    before = layers.relu_forward
    with pytest.raises(finite_differences.RectifierCrossed):
        finite_differences.derivatives(loss, params)
    assert glimpse_network.relu_forward is layers.relu_forward is before


def test_points_are_drawn_until_none_is_at_a_kink():
    """The first point whose differences stay on their sides is taken."""
    first_draws = []

    def make_subject(rng):
        first_draws.append(rng.random())
        x = np.array([0.0 if len(first_draws) < 3 else 1.0])
        return Subject({"x": x}, rectified_sum, None)

    subject, found, thrown_away = finite_differences.redrawn(make_subject, seed=0)
    assert subject.arrays["x"] == 1 and np.allclose(found["x"], 1)
    assert thrown_away == 2 and len(set(first_draws)) == 3


def test_a_problem_that_is_all_kink_is_an_error():
    """Drawing again ends, and says so."""

    def make_subject(rng):
        return Subject({"x": np.zeros(1)}, rectified_sum, None)

    with pytest.raises(finite_differences.RectifierCrossed, match="all of 5"):
        finite_differences.redrawn(make_subject, seed=0, attempts=5)
