"""REINFORCE on average: the mean of many sampled gradients against the exact one.

Samples are computed as in training, from rollout to backward; the agent looks through
the smooth sensor, for which quadrature gives the exact gradient.
"""

import dataclasses

import numpy as np

from ramnp.agent import model
from ramnp.learning import reinforce
from ramnp.proofs import gradient_paths, quadrature
from ramnp.proofs.complex_step import flat, worst_errors
from ramnp.proofs.quadrature import Case, make_problem, smooth_sensor
from ramnp.proofs.rows import Row

EXPECTATION = "expectation"
QUADRATURE = "quadrature"
VARIANCE = "variance"
LARGEST_Z = 5.0
CONVERGED = 1e-9
ROUNDING = 1e-13
LARGEST_VARIANCE = 0.5  # relative to the variance without a baseline

BATCHES = 100
IMAGES = 50  # per batch
ROLLOUTS = 4  # per image
SAMPLES = BATCHES * IMAGES * ROLLOUTS
BASELINES = ("none", "learned", "leave-one-out")

_INTERIOR, _BORDER = (0.1, -0.2), (0.93, -0.85)
_LINEAR = quadrature.SETTINGS | quadrature.LINEAR_MEAN
CASES = {
    "interior, std 0.05": Case(_INTERIOR, 0.05, 6),
    "interior, std 0.2": Case(_INTERIOR, 0.2, 10),
    "border, std 0.05": Case(_BORDER, 0.05, 6),
    "border, std 0.2": Case(_BORDER, 0.2, 10),
    "border, std 0.2, linear mean": Case(_BORDER, 0.2, 12, settings=_LINEAR),
    "two choices, std 0.05": Case(_BORDER, 0.05, 4, num_choices=2),
}


def by_return(name, seed=0, baselines=BASELINES):
    """Compute the exact gradient of a case's expected return; return () -> rows.

    Each call samples anew and compares under each kind of baseline.
    """
    problem = with_fitted_baseline(make_problem(CASES[name]), seed)
    exact, change = downhill(name, problem, by_seeing=False)

    def prove():
        variances = {}
        for baseline in baselines:
            subject = f"{name}, baseline {baseline}"
            samples = sampled_gradients(problem, seed, baseline=baseline)
            yield from _rows(subject, samples, exact, change)
            variances[baseline] = total_variance(samples)
            if baseline != "none" and "none" in variances:
                ratio = variances[baseline] / variances["none"]
                size = sum(array.size for array in exact.values())
                yield Row(VARIANCE, subject, "all", size, ratio, LARGEST_VARIANCE)

    return prove


def by_cross_entropy(name, seed=0):
    """Compute the exact gradient of a case's expected cross-entropy; return () -> rows.

    It is the mean gradient of the cross-entropy at fixed locations, which the hybrid
    loss follows, plus a term that the paper drops: E[CE times the gradient of log pi].
    One proof samples the first and adds the exact second. The other samples the hybrid
    loss with the reward log p(right class), which restores the dropped term.
    """
    problem = with_fitted_baseline(make_problem(CASES[name]), seed)
    exact, change = downhill(name, problem)
    dropped, _ = downhill(name, problem, by_seeing=False)

    def prove():
        seen = sampled_gradients(problem, seed, terms=["cross_entropy"])
        completed = {tensor: seen[tensor] + dropped[tensor] for tensor in seen}
        hybrid = sampled_gradients(problem, seed, terms=["cross_entropy", "policy"])
        yield from _rows(f"{name}, seen + dropped term", completed, exact, change)
        yield from _rows(f"{name}, hybrid paid log p", hybrid, exact, change)

    return prove


def downhill(name, problem, **paths):
    """Return minus quadrature.expected_log_p, and the relative change by its last node.

    The reward is log p(right class), so this is the gradient of the expected loss.
    """
    coarse, fine = (
        quadrature.expected_log_p(problem, CASES[name].num_nodes + more, **paths)
        for more in (0, 1)
    )
    change = max(tensor for tensor, _ in worst_errors(coarse, fine).values())
    return {name: -gradient for name, gradient in fine.items()}, change


@smooth_sensor()
def sampled_gradients(problem, seed, terms=("policy",), batches=BATCHES, **settings):
    """Return {name: (batches, ...)}, the gradient of some loss terms for each batch.

    terms: of gradient_paths.TERMS. settings: changes to those of the problem.
    """
    config = dataclasses.replace(problem.config, num_rollouts=ROLLOUTS, **settings)
    rng = np.random.default_rng(seed)

    def gradient():
        trajectory, signal = _sample(problem, config, IMAGES, rng)
        upstream = [
            dy * (term in terms)
            for term, dy in zip(gradient_paths.TERMS, signal.upstream)
        ]
        return flat(model.backward(*upstream, trajectory, config))

    gradients = [gradient() for _ in range(batches)]
    return {name: np.stack([g[name] for g in gradients]) for name in gradients[0]}


def estimates(seed, name="interior, std 0.2"):
    """Return an exact derivative, by b_mu, and {baseline: (BATCHES,)} samples of it."""
    problem = with_fitted_baseline(make_problem(CASES[name]), seed)
    exact, _ = downhill(name, problem, by_seeing=False)
    sampled = {}
    for kind in BASELINES:
        label = "no baseline" if kind == "none" else kind
        samples = sampled_gradients(problem, seed, baseline=kind)
        sampled[label] = -samples["location.b_mu"][:, 0]
    return -exact["location.b_mu"][0], sampled


def z_scores(samples, exact):
    """Return {name: z}, the error of the mean of samples in standard errors.

    An error within rounding counts as none, because samples that are all equal have a
    standard error of 0.
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
    """Return the problem with its baseline network fitted to returns by least squares."""
    config = dataclasses.replace(problem.config, num_rollouts=ROLLOUTS)
    rng = np.random.default_rng(seed)
    trajectory, signal = _sample(problem, config, 2 * IMAGES, rng)
    _, h = trajectory.caches["baseline"]
    features = np.column_stack([h, np.ones(len(h))])
    weights, *_ = np.linalg.lstsq(features, signal.R.ravel())
    fitted = {"W_b": weights[:-1, None], "b_b": weights[-1:]}
    return problem._replace(params=problem.params | {"baseline": fitted})


def _sample(problem, config, num_images, rng):
    """Return a trajectory over copies of the images, and its learning signal."""
    copies = num_images // len(problem.images)
    images = np.tile(problem.images, (copies, 1, 1))
    labels = np.tile(problem.labels, copies * ROLLOUTS)
    trajectory = model.rollout(
        problem.params, images, rng, config, num_rollouts=ROLLOUTS
    )
    return trajectory, reinforce.learning_signal(
        trajectory, labels, config, config.location_std
    )


def _rows(subject, samples, exact, change):
    size = sum(array.size for array in exact.values())
    return [Row(QUADRATURE, subject, "all", size, change, CONVERGED)] + [
        Row(EXPECTATION, subject, tensor, z.size, float(np.abs(z).max()), LARGEST_Z)
        for tensor, z in z_scores(samples, exact).items()
    ]
