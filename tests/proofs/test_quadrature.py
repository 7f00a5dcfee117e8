"""The exact gradients are exact, and of the agent that is meant."""

import numpy as np
import pytest

from ramnp.agent import glimpse_sensor, layers, model
from ramnp.learning import reinforce
from ramnp.proofs import expectation, quadrature
from ramnp.proofs.complex_step import worst_errors
from ramnp.proofs.replacing import replaced


@pytest.fixture(params=expectation.CASES)
def case(request):
    return expectation.CASES[request.param]


def test_first_choice_has_the_mean_asked_for(case):
    """The two images' means lie on either side of it, close by."""
    problem = quadrature.make_problem(case)
    with quadrature.smooth_sensor():
        trajectory = model.rollout(problem.params, problem.images, None, problem.config)
    assert np.abs(trajectory.mu[0] - case.mean).max() < 0.07
    assert np.allclose(trajectory.mu[0].mean(axis=0), case.mean, atol=1e-3)
    assert np.ptp(trajectory.mu[0], axis=0).all()


def test_no_rectifier_changes_side_within_eight_standard_deviations(case):
    """Each unit is on at all nodes or off at all nodes, and some are off."""
    problem = quadrature.make_problem(case)
    sides, relu_forward = [], layers.relu_forward

    def watched(x):
        y = relu_forward(x)
        sides.append((y > 0).mean(axis=0))
        return y

    num_nodes = 24 if case.num_choices == 1 else 8
    reach = np.polynomial.hermite_e.hermegauss(num_nodes)[0].max()
    assert reach > (8 if case.num_choices == 1 else 4)
    with quadrature.smooth_sensor(), replaced(relu_forward, watched):
        quadrature.nodes(problem, problem.params, num_nodes)
    assert sides and {0.0, 1.0} == set(np.concatenate(sides))


def test_smooth_sensor_is_a_sensor(rng):
    """Row n looks at image n mod B, and only there does the sensor differ."""
    images = rng.standard_normal((3, 4, 5))
    l = rng.standard_normal((6, 2))
    rho = quadrature.smooth_glimpse(images, l)
    assert rho.shape == (6, 5)
    for n, (x, y) in enumerate(l):
        kx, ky, c, a = images[n % 3]
        assert np.allclose(rho[n], a * np.sin(kx * x + ky * y + c))
    before = glimpse_sensor.forward
    with quadrature.smooth_sensor():
        assert glimpse_sensor.forward is quadrature.smooth_glimpse
    assert glimpse_sensor.forward is before


def test_nodes_integrate_the_policy():
    """The weights sum to 1; mean and variance of the locations are the policy's."""
    problem = quadrature.make_problem(quadrature.Case((0.4, -0.3), 0.2, 5))
    with quadrature.smooth_sensor():
        locations, weights = quadrature.nodes(problem, problem.params, 5)
        mu = model.rollout(problem.params, problem.images, None, problem.config).mu[0]
    assert locations.shape == (2, 2 * 5**2, 2) and not locations[0].any()
    assert np.isclose(weights.sum(), 1)
    for image in range(2):
        l, w = locations[1, image::2], weights[image::2, None] * 2
        assert np.allclose((w * l).sum(axis=0), mu[image])
        assert np.allclose((w * (l - mu[image]) ** 2).sum(axis=0), 0.2**2)


def test_moving_nodes_and_weighing_scores_agree():
    """E[R (l - mu) / sigma²], summed at the nodes, is the gradient by the mean.

    The one moves where the agent looks, the other how often: two derivations.
    """
    case = expectation.CASES["border, std 0.2, linear mean"]
    problem = quadrature.make_problem(case)
    exact = quadrature.expected_log_p(problem, 12, by_seeing=False)["location.b_mu"]
    with quadrature.smooth_sensor():
        locations, weights = quadrature.nodes(problem, problem.params, 12)
        trajectory = model.replay(
            problem.params, problem.images, locations, problem.config
        )
    labels = np.tile(problem.labels, 12**2)
    R = reinforce.rewards(trajectory.logits, labels, "log-probability")[1]
    score = (locations[1] - trajectory.mu[0]) / case.std**2
    assert np.allclose((weights * R) @ score, exact, rtol=1e-9)


def test_looking_and_seeing_are_the_two_terms_of_the_product_rule(case):
    """∇ E[log p] is the sum of the terms through locations and at fixed locations.

    With log p as the reward, the first is the term that the paper drops from the
    gradient of the expected cross-entropy.
    """
    problem = quadrature.make_problem(case)
    whole, looking, seeing = (
        quadrature.expected_log_p(problem, 3, *paths)
        for paths in ((True, True), (True, False), (False, True))
    )
    together = {name: looking[name] + seeing[name] for name in whole}
    for tensor, _ in worst_errors(together, whole).values():
        assert tensor < 1e-12
    assert not seeing["location.b_mu"].any() and looking["location.b_mu"].all()
    assert not looking["action.W_a"].any() and seeing["action.W_a"].any()
