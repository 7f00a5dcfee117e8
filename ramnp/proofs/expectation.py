"""REINFORCE on average: many sampled gradients against the exact one.

The samples go the whole way of training, from rollout to backward; the agent looks
through the smooth sensor, for which quadrature knows the answer.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from ramnp import model, reinforce
from ramnp.proofs import quadrature
from ramnp.proofs.complex_step import flat, nested, worst_errors
from ramnp.proofs.quadrature import smooth_sensor
from ramnp.proofs.rows import Row

EXPECTATION = "expectation"
QUADRATURE = "quadrature"
VARIANCE = "variance"
LARGEST_Z = 5.0
CONVERGED = 1e-9
LARGEST_VARIANCE = 0.5  # of what it is without a baseline

BATCHES = 100
IMAGES = 100  # in a batch
ROLLOUTS = 4  # of an image
SAMPLES = BATCHES * IMAGES * ROLLOUTS
BASELINES = ("none", "learned", "leave-one-out")


class Case(NamedTuple):
    """A mean and a standard deviation of the policy, and the nodes that suffice."""

    mean: tuple
    std: float
    num_nodes: int  # per dimension; one more changes nothing
    num_choices: int = 1
    squashed: bool = True  # by tanh, after a hidden layer; else linear


CASES = {
    "interior, σ 0.05": Case((0.1, -0.2), 0.05, 6),
    "interior, σ 0.2": Case((0.1, -0.2), 0.2, 10),
    "border, σ 0.05": Case((0.93, -0.85), 0.05, 6),
    "border, σ 0.2": Case((0.93, -0.85), 0.2, 10),
    "border, σ 0.2, linear mean": Case((0.93, -0.85), 0.2, 10, squashed=False),
    "two choices, σ 0.05": Case((0.8, -0.7), 0.05, 4, num_choices=2),
}


def make_problem(case):
    """Return the agent of a case."""
    linear = {"locator_hidden_size": 0, "locator_tanh": False}
    return quadrature.make_problem(
        case.mean, case.std, case.num_choices, **({} if case.squashed else linear)
    )


def by_quadrature(name, baselines=BASELINES, seed=0):
    """Work out the exact gradient of a case; return a proof, () -> rows.

    The proof samples anew, and compares under each kind of baseline.
    """
    case = CASES[name]
    problem = with_fitted_baseline(make_problem(case), seed)
    coarse, exact = (
        quadrature.expected_return(problem, case.num_nodes + more) for more in (0, 1)
    )
    converged = max(error for error, _ in worst_errors(coarse, exact).values())
    size = sum(array.size for array in exact.values())
    # Losses go down where returns go up.
    downhill = {tensor: -gradient for tensor, gradient in exact.items()}

    def prove():
        rows = [Row(QUADRATURE, name, "all", size, converged, CONVERGED)]
        variances = {}
        for baseline in baselines:
            subject = f"{name}, baseline {baseline}"
            samples = sampled_gradients(problem, seed, baseline=baseline)
            for tensor, z in z_scores(samples, downhill).items():
                error = float(np.abs(z).max())
                rows.append(Row(EXPECTATION, subject, tensor, z.size, error, LARGEST_Z))
            variances[baseline] = total_variance(samples)
            if baseline != "none" and "none" in variances:
                ratio = variances[baseline] / variances["none"]
                rows.append(
                    Row(VARIANCE, subject, "all", size, ratio, LARGEST_VARIANCE)
                )
        return rows

    return prove


@smooth_sensor()
def sampled_gradients(problem, seed, terms=("policy",), batches=BATCHES, **settings):
    """Return {name: (batches, ...)}: of each batch, the gradient of some loss terms.

    terms: of cross_entropy, policy and baseline. settings: changes of the problem's.
    """
    config = dataclasses.replace(problem.config, num_rollouts=ROLLOUTS, **settings)
    rng = np.random.default_rng(seed)
    copies = IMAGES // len(problem.images)
    images = np.tile(problem.images, (copies, 1, 1))
    labels = np.tile(problem.labels, copies * ROLLOUTS)
    gradients = [
        flat(_gradient(problem.params, images, labels, rng, config, terms))
        for _ in range(batches)
    ]
    return {
        name: np.stack([gradient[name] for gradient in gradients])
        for name in gradients[0]
    }


def z_scores(samples, exact):
    """Return {name: z}: how many standard errors the mean of samples is off.

    Where every sample is the same there is no error to allow for: 0 if it is the
    exact value, else infinity.
    """
    z = {}
    for name, drawn in samples.items():
        gap = drawn.mean(axis=0) - exact[name]
        error = drawn.std(axis=0, ddof=1) / np.sqrt(len(drawn))
        with np.errstate(divide="ignore", invalid="ignore"):
            z[name] = np.where(gap == 0, 0.0, gap / error)
    return z


def largest(z):
    """Return the largest |z| of all."""
    return max(np.abs(values).max() for values in z.values())


def total_variance(samples):
    """Return the variance of one batch's gradient, summed over coordinates."""
    return float(sum(drawn.var(axis=0, ddof=1).sum() for drawn in samples.values()))


@smooth_sensor()
def with_fitted_baseline(problem, seed):
    """Return the problem with the baseline network fitted to returns, least squares.

    What b_t is made of shows when each weight in turn is 1 and all others 0.
    """
    config = dataclasses.replace(problem.config, num_rollouts=ROLLOUTS)
    rng = np.random.default_rng(seed)
    images = np.tile(problem.images, (IMAGES, 1, 1))
    labels = np.tile(problem.labels, IMAGES * ROLLOUTS)
    trajectory = model.rollout(
        problem.params, images, rng, config, num_rollouts=ROLLOUTS
    )
    reward = reinforce.rewards(trajectory.logits, labels, config.reward)
    R = reinforce.returns_to_go(reward, config.discount)
    params = nested({name: a.copy() for name, a in flat(problem.params).items()})
    weights = params["baseline"]["W_b"], params["baseline"]["b_b"][:, None]
    features = []
    for array in weights:
        for i in range(len(array)):
            for other in weights:
                other[...] = 0
            array[i] = 1
            replayed = model.replay(params, images, trajectory.locations, config)
            features.append(replayed.baseline.ravel())
    solution, *_ = np.linalg.lstsq(np.stack(features, axis=1), R.ravel())
    weights[0][:, 0], weights[1][:, 0] = solution[:-1], solution[-1]
    return problem._replace(params=params)


def _gradient(params, images, labels, rng, config, terms):
    M = config.num_rollouts
    trajectory = model.rollout(params, images, rng, config, num_rollouts=M)
    reward = reinforce.rewards(trajectory.logits, labels, config.reward)
    R = reinforce.returns_to_go(reward, config.discount)
    advantage = reinforce.advantages(R, trajectory.baseline, config.baseline, M)
    _, cache = reinforce.hybrid_loss_forward(
        trajectory, labels, R, advantage, config, config.location_std
    )
    dlogits, dmu, dbaseline = reinforce.hybrid_loss_backward(cache)
    return model.backward(
        dlogits * ("cross_entropy" in terms),
        dmu * ("policy" in terms),
        dbaseline * ("baseline" in terms),
        trajectory,
        config,
    )
