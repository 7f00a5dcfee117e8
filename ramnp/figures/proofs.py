"""The picture of the proofs: errors per tensor, errors per step, effect of baselines."""

import numpy as np
from matplotlib.figure import Figure

from ramnp.figures.style import COLOURS, save, styled

# Colour and marker of each oracle.
ORACLES = {
    "central differences": (COLOURS["where"], "s"),
    "PyTorch": (COLOURS["policy"], "D"),
    "complex step": (COLOURS["action"], "o"),
}
# Relative tolerances of widely used gradient checkers.
_TOLERANCES = {"PyTorch's gradcheck": 1e-3, "JAX's check_grads": 1e-5}


@styled
def draw_proofs(errors, limits, step_errors, exact, estimates, path):
    """Draw the measurements of the proofs, as a PNG.

    errors {oracle: {tensor: error}} and limits {oracle: limit}; step_errors, rows of
    step, error of the complex step and error of differences; exact, a derivative, and
    estimates of it, {baseline: (batches,)}.
    """
    figure = Figure(figsize=(11, 6.4))
    grid = figure.add_gridspec(
        2, 2, width_ratios=(1.15, 1), left=0.13, right=0.98, top=0.9, bottom=0.09
    )
    grid.update(hspace=0.5, wspace=0.3)
    _draw_errors(figure.add_subplot(grid[:, 0]), errors, limits)
    _draw_steps(figure.add_subplot(grid[0, 1]), step_errors)
    _draw_baselines(figure.add_subplot(grid[1, 1]), exact, estimates)
    save(figure, path)


def _draw_errors(ax, errors, limits):
    """Draw the error of each tensor by each oracle, with the oracles' limits."""
    tensors = [*errors["complex step"]]
    heights = np.arange(len(tensors))[::-1]
    for oracle, (colour, marker) in ORACLES.items():
        # A logarithmic axis cannot show an error of 0.
        values = np.maximum([errors[oracle][tensor] for tensor in tensors], 1e-17)
        ax.plot(values, heights, marker, color=colour, ms=5, label=oracle)
    # PyTorch and the complex step have the same limit: one line.
    lines = {limits[oracle]: colour for oracle, (colour, _) in ORACLES.items()}
    for limit, colour in lines.items():
        ax.axvline(limit, color=colour, lw=1)
    muted = COLOURS["muted"]
    for name, tolerance in _TOLERANCES.items():
        ax.axvline(tolerance, color=muted, lw=1, ls=":")
        ax.text(tolerance * 1.3, 0, name, rotation=90, va="bottom", color=muted)
    ax.set(xscale="log", xlim=(1e-17, 1e-2), xlabel="relative error, lines: limits")
    ax.set_yticks(heights, tensors)
    ax.grid(axis="y")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, borderpad=0)
    ax.set_title("Every gradient of the agent, worst of all settings", y=1.05)


def _draw_steps(ax, step_errors):
    """Draw the error of both ways to differentiate against the step."""
    steps, by_complex_step, by_differences = np.array(step_errors).T
    for values, oracle in (
        (by_differences, "central differences"),
        (by_complex_step, "complex step"),
    ):
        colour, marker = ORACLES[oracle]
        ax.plot(steps, values, marker=marker, ms=3, color=colour, label=oracle)
    ax.set(xscale="log", yscale="log", xlabel="step h", ylabel="relative error")
    ax.invert_xaxis()
    ax.grid()
    ax.legend()
    ax.set_title("The V of differences, the floor of the complex step")


def _draw_baselines(ax, exact, estimates):
    """Draw the estimates of one derivative under each baseline, and their means."""
    batches = len(next(iter(estimates.values())))
    jitter = np.random.default_rng(0).uniform(-0.25, 0.25, batches)
    style = {"ms": 4, "alpha": 0.6, "color": COLOURS["baseline"]}
    for height, values in enumerate(estimates.values()):
        ax.plot(values, height + jitter, ".", **style)
        ax.plot(values.mean(), height, "|", ms=22, mew=2, color=COLOURS["ink"])
    ax.axvline(exact, color=COLOURS["core"], lw=1.5, zorder=0, label="exact gradient")
    ax.set_yticks(range(len(estimates)), [*estimates])
    ax.set(xlabel=f"gradient by b_mu: {batches} batches, and their mean")
    ax.legend(loc="upper left")
    ax.set_title("A baseline keeps the mean and cuts the variance")
