"""The picture of the proofs: every error, the V of differences, what a baseline does."""

import numpy as np
from matplotlib.figure import Figure

from ramnp.figures.style import COLOURS, save, styled
from ramnp.proofs import expectation, oracles, quadrature, report, step_sizes, subjects

# Name, colour and marker of each oracle.
_ORACLES = {
    oracles.CENTRAL_DIFFERENCES: (COLOURS["where"], "s"),
    oracles.PYTORCH: (COLOURS["policy"], "D"),
    oracles.COMPLEX_STEP: (COLOURS["action"], "o"),
}
# What others ask of a gradient: the relative tolerances of their checkers.
_TOLERANCES = {"PyTorch's gradcheck": 1e-3, "JAX's check_grads": 1e-5}
# A case whose three kinds of estimate can be seen at one scale.
_CASE = "interior, std 0.2"


@styled
def draw_proofs(rows, seed, path):
    """Draw the rows of the proofs as a PNG: errors, step sizes, and baselines."""
    figure = Figure(figsize=(11, 6.4))
    grid = figure.add_gridspec(
        2, 2, width_ratios=(1.15, 1), left=0.13, right=0.98, top=0.9, bottom=0.09
    )
    grid.update(hspace=0.5, wspace=0.3)
    _draw_errors(figure.add_subplot(grid[:, 0]), rows)
    _draw_steps(figure.add_subplot(grid[0, 1]), step_sizes.errors_by_step(seed=seed))
    _draw_baselines(figure.add_subplot(grid[1, 1]), seed)
    save(figure, path)


def _draw_errors(ax, rows):
    """Draw the worst error of each tensor of the agent under each oracle."""
    names = {row.tensor for row in rows if row.subject in subjects.AGENT}
    tensors = {
        name: found for name, found in report.by_tensor(rows).items() if name in names
    }
    heights = np.arange(len(tensors))[::-1]
    for proof, (colour, marker) in _ORACLES.items():
        errors = [report.worst(found, proof) for found in tensors.values()]
        # No error at all would lie off a logarithmic axis.
        ax.plot(
            np.maximum(errors, 1e-17), heights, marker, color=colour, ms=5, label=proof
        )
    limits = {row.proof: row.limit for row in rows if row.proof in _ORACLES}
    for proof in (oracles.CENTRAL_DIFFERENCES, oracles.COMPLEX_STEP):
        ax.axvline(limits[proof], color=_ORACLES[proof][0], lw=1)
    for name, tolerance in _TOLERANCES.items():
        ax.axvline(tolerance, color=COLOURS["muted"], lw=1, ls=":")
        ax.text(
            tolerance * 1.3, 0, name, rotation=90, va="bottom", color=COLOURS["muted"]
        )
    ax.set(xscale="log", xlim=(1e-17, 1e-2), xlabel="relative error, lines: limits")
    ax.set_yticks(heights, tensors)
    ax.grid(axis="y")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, borderpad=0)
    ax.set_title(
        "Every gradient of the agent, worst of all settings", loc="left", y=1.05
    )


def _draw_steps(ax, errors):
    """Draw the error of both ways to differentiate over the size of the step."""
    steps, by_complex_step, by_differences = np.array(errors).T
    for values, proof in (
        (by_differences, oracles.CENTRAL_DIFFERENCES),
        (by_complex_step, oracles.COMPLEX_STEP),
    ):
        colour, marker = _ORACLES[proof]
        ax.plot(steps, values, marker=marker, ms=3, color=colour, label=proof)
    ax.set(xscale="log", yscale="log", xlabel="step h", ylabel="relative error")
    ax.invert_xaxis()
    ax.grid()
    ax.legend()
    ax.set_title("The V of differences, the floor of the complex step", loc="left")


def _draw_baselines(ax, seed):
    """Draw one gradient, estimated many times, under each kind of baseline."""
    case = expectation.CASES[_CASE]
    problem = expectation.with_fitted_baseline(expectation.make_problem(case), seed)
    exact = quadrature.expected_return(problem, case.num_nodes)["location.b_mu"][0]
    jitter = np.random.default_rng(seed).uniform(-0.25, 0.25, expectation.BATCHES)
    for height, baseline in enumerate(expectation.BASELINES):
        samples = expectation.sampled_gradients(problem, seed, baseline=baseline)
        estimates = -samples["location.b_mu"][:, 0]
        ax.plot(
            estimates,
            height + jitter,
            ".",
            ms=4,
            alpha=0.6,
            color=COLOURS["baseline"],
        )
        ax.plot(estimates.mean(), height, "|", ms=22, mew=2, color=COLOURS["ink"])
    ax.axvline(exact, color=COLOURS["core"], lw=1.5, zorder=0, label="exact gradient")
    ax.set_yticks(range(3), ["no baseline", "learned", "leave-one-out"])
    ax.set(
        xlabel=f"gradient by b_mu: {expectation.BATCHES} batches, and their mean",
    )
    ax.legend(loc="upper left")
    ax.set_title("A baseline keeps the mean and cuts the variance", loc="left")
