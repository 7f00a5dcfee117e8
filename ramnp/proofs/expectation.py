"""REINFORCE on average: many sampled gradients against the exact one.

The samples go the whole way of training, from rollout to backward; the agent looks
through the smooth sensor, for which quadrature knows the answer.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from ramnp.agent import model
from ramnp.learning import reinforce
from ramnp.proofs import quadrature
from ramnp.proofs.complex_step import flat, worst_errors
from ramnp.proofs.quadrature import smooth_sensor
from ramnp.proofs.rows import Row

EXPECTATION = "expectation"
QUADRATURE = "quadrature"
VARIANCE = "variance"
LARGEST_Z = 5.0
CONVERGED = 1e-9
ROUNDING = 1e-13
LARGEST_VARIANCE = 0.5  # of what it is without a baseline

BATCHES = 100
IMAGES = 50  # in a batch
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
    "interior, std 0.05": Case((0.1, -0.2), 0.05, 6),
    "interior, std 0.2": Case((0.1, -0.2), 0.2, 10),
    "border, std 0.05": Case((0.93, -0.85), 0.05, 6),
    "border, std 0.2": Case((0.93, -0.85), 0.2, 10),
    "border, std 0.2, linear mean": Case((0.93, -0.85), 0.2, 12, squashed=False),
    "two choices, std 0.05": Case((0.93, -0.85), 0.05, 4, num_choices=2),
}


def make_problem(case):
    """Return the agent of a case."""
    linear = {"locator_hidden_size": 0, "locator_tanh": False}
    return quadrature.make_problem(
        case.mean, case.std, case.num_choices, **({} if case.squashed else linear)
    )


def by_return(name, seed=0, baselines=BASELINES):
    """Work out the gradient of a case's expected return; return a proof, () -> rows.

    The proof samples anew, and compares under each kind of baseline.
    """
    problem, nodes = _problem(name, seed)
    exact, change = _converged(quadrature.expected_return, problem, nodes)
    size = sum(array.size for array in exact.values())
    downhill = {tensor: -gradient for tensor, gradient in exact.items()}

    def prove():
        variances = {}
        for baseline in baselines:
            subject = f"{name}, baseline {baseline}"
            samples = sampled_gradients(problem, seed, baseline=baseline)
            yield from _rows(subject, samples, downhill, change)
            variances[baseline] = total_variance(samples)
            if baseline != "none" and "none" in variances:
                ratio = variances[baseline] / variances["none"]
                yield Row(VARIANCE, subject, "all", size, ratio, LARGEST_VARIANCE)

    return prove


def by_cross_entropy(name, seed=0):
    """Work out the gradient of a case's expected cross-entropy; return a proof.

    It is what the hybrid loss follows, the mean gradient of the cross-entropy of what
    was seen, plus a term that the paper drops: E[cross-entropy times the gradient of
    log pi]. The proof samples the one and adds the other; and it samples the hybrid
    loss with the reward log p(right class), which brings the dropped term back.
    """
    problem, nodes = _problem(name, seed)
    exact, change = _converged(quadrature.expected_cross_entropy, problem, nodes)
    rewarded = quadrature.expected_return(problem, nodes + 1)
    both = "cross_entropy", "policy"

    def prove():
        seen = sampled_gradients(problem, seed, terms=["cross_entropy"])
        completed = {tensor: seen[tensor] - rewarded[tensor] for tensor in seen}
        hybrid = sampled_gradients(problem, seed, terms=both)
        yield from _rows(f"{name}, seen + dropped term", completed, exact, change)
        yield from _rows(f"{name}, hybrid paid log p", hybrid, exact, change)

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


def estimates(seed):
    """Return an exact derivative, by b_mu, and {baseline: estimates (BATCHES,)} of it."""
    name = "interior, std 0.2"  # its estimates have one scale under every baseline
    problem, num_nodes = _problem(name, seed)
    exact = quadrature.expected_return(problem, num_nodes)["location.b_mu"][0]
    return exact, {
        baseline: -sampled_gradients(problem, seed, baseline=kind)["location.b_mu"][
            :, 0
        ]
        for baseline, kind in (
            ("no baseline", "none"),
            ("learned", "learned"),
            ("leave-one-out", "leave-one-out"),
        )
    }


def z_scores(samples, exact):
    """Return {name: z}: how many standard errors the mean of samples is off.

    A gap that is no more than rounding counts as none, since where all samples are
    the same there is no error to allow for it.
    """
    z = {}
    for name, drawn in samples.items():
        gap = drawn.mean(axis=0) - exact[name]
        error = drawn.std(axis=0, ddof=1) / np.sqrt(len(drawn))
        with np.errstate(divide="ignore", invalid="ignore"):
            rounding = ROUNDING * np.abs(exact[name]).max()
            z[name] = np.where(np.abs(gap) <= rounding, 0.0, gap / error)
    return z


def total_variance(samples):
    """Return the variance of one batch's gradient, summed over coordinates."""
    return float(sum(drawn.var(axis=0, ddof=1).sum() for drawn in samples.values()))


@smooth_sensor()
def with_fitted_baseline(problem, seed):
    """Return the problem with its baseline network fitted to returns.

    b_t is linear in its weights: each alone shows one feature for least squares.
    """
    config = dataclasses.replace(problem.config, num_rollouts=ROLLOUTS)
    rng = np.random.default_rng(seed)
    images = np.tile(problem.images, (IMAGES, 1, 1))
    labels = np.tile(problem.labels, IMAGES * ROLLOUTS)
    trajectory = model.rollout(
        problem.params, images, rng, config, num_rollouts=ROLLOUTS
    )
    R = reinforce.learning_signal(trajectory, labels, config, config.location_std).R

    def network(weights):
        return {"W_b": weights[:-1, None], "b_b": weights[-1:]}

    def baselines(weights):
        params = problem.params | {"baseline": network(weights)}
        replayed = model.replay(params, images, trajectory.locations, config)
        return replayed.baseline.ravel()

    one_by_one = np.eye(config.h_size + 1)
    features = np.stack([baselines(weights) for weights in one_by_one], axis=1)
    fitted, *_ = np.linalg.lstsq(features, R.ravel())
    return problem._replace(params=problem.params | {"baseline": network(fitted)})


def _gradient(params, images, labels, rng, config, terms):
    M = config.num_rollouts
    trajectory = model.rollout(params, images, rng, config, num_rollouts=M)
    signal = reinforce.learning_signal(trajectory, labels, config, config.location_std)
    dlogits, dmu, dbaseline = signal.upstream
    return model.backward(
        dlogits * ("cross_entropy" in terms),
        dmu * ("policy" in terms),
        dbaseline * ("baseline" in terms),
        trajectory,
        config,
    )


def _problem(name, seed):
    case = CASES[name]
    return with_fitted_baseline(make_problem(case), seed), case.num_nodes


def _converged(gradient, problem, num_nodes):
    """Return a gradient by quadrature, and what the last node changed in it."""
    coarse, exact = (gradient(problem, num_nodes + more) for more in (0, 1))
    return exact, max(error for error, _ in worst_errors(coarse, exact).values())


def _rows(subject, samples, exact, change):
    size = sum(array.size for array in exact.values())
    return [Row(QUADRATURE, subject, "all", size, change, CONVERGED)] + [
        Row(EXPECTATION, subject, tensor, z.size, float(np.abs(z).max()), LARGEST_Z)
        for tensor, z in z_scores(samples, exact).items()
    ]
