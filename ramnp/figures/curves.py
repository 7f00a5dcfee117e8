"""curves.png, the metrics of training, and errors by number of glimpses or by cost."""

import math
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from ramnp.figures.style import COLOURS, save, styled

COLUMNS = 3


class Panel(NamedTuple):
    """Metrics of one unit over epochs; logarithmic where they span a decade."""

    title: str
    unit: str
    series: dict  # metric: (name, key of COLOURS)
    may_be_log: bool = False


NETWORKS = {
    "glimpse": "what",
    "core": "core",
    "location": "policy",
    "action": "action",
    "baseline": "baseline",
    "fc": "what",
    "conv": "what",
}
PANELS = (
    Panel(
        "Error",
        "%",
        {
            "train_error": ("training", "muted"),
            "valid_error": ("validation", "action"),
        },
        True,
    ),
    Panel("Cross-entropy", "nats", {"cross_entropy": ("", "action")}, True),
    Panel("Learning rate", "", {"learning_rate": ("", "core")}),
    Panel("Spread of locations", "half sides", {"location_spread": ("", "where")}),
    Panel("Locations at the border", "share", {"saturation": ("", "where")}),
    Panel("Entropy of locations", "bits", {"location_entropy": ("", "where")}),
    Panel("Return", "", {"first_return": ("", "policy")}),
    Panel("Baseline loss", "", {"baseline_loss": ("", "baseline")}, True),
    Panel("Explained variance", "share", {"explained_variance": ("", "baseline")}),
    Panel(
        "Deterministic minus sampled error",
        "%",
        {"deterministic_minus_sampled": ("", "policy")},
    ),
    Panel("Gradient norm", "", {name: (name, c) for name, c in NETWORKS.items()}, True),
)


class Line(NamedTuple):
    """Errors in percent by something else."""

    name: str
    colour: str  # a key of COLOURS
    x: list
    errors: list
    marker: str = "o-"


@styled
def draw_curves(history, path, title=""):
    """Draw the rows of metrics.jsonl as a PNG, a panel per metric that has values.

    A missing, null or infinite value is left out: the line joins its neighbours. A
    panel with only zeros is left out, for example a comparison network's locations.
    """
    rows = [row | row.get("gradient_norms", {}) for row in history]
    panels = [p for p in PANELS if any(_finite(rows, m)[1].any() for m in p.series)]
    best = _best_row(history)
    count = len(panels) + bool(best)
    height = max(1, math.ceil(count / COLUMNS))
    figure = Figure(figsize=(9.2, 0.3 + 2.4 * height), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", weight="bold", size=12)
    axes = figure.subplots(height, COLUMNS, squeeze=False).flat
    for ax, panel in zip(axes, panels):
        _draw_panel(ax, panel, rows)
    if best:
        _draw_after_glimpse(axes[len(panels)], best)
    for ax in axes[count:]:
        ax.remove()
    save(figure, path)


@styled
def draw_errors(panels, path, label, log=False):
    """Draw the Lines of each panel, {title: [Line]}, as a PNG; log: x is logarithmic."""
    figure = Figure(figsize=(7.5, 6.2), layout="constrained")
    legend = {}
    for ax, (title, lines) in zip(figure.subplots(2, 2).flat, panels.items()):
        for name, colour, x, errors, marker in lines:
            style = {"ms": 4, "color": COLOURS[colour], "label": name}
            legend[name], *_ = ax.plot(x, errors, marker, **style)
        _finish(ax, title, "error (%)", label, 9)
        for axis in "xy" if log else "y":
            _log_scale(ax, axis)
    handles = [*legend.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    save(figure, path)


def _draw_panel(ax, panel, rows):
    title, everything = panel.title, []
    for metric, (name, colour) in panel.series.items():
        epochs, values = _finite(rows, metric)
        if values.size == 0:
            continue
        everything.append((epochs, values))
        label = f"{name} {values[-1]:.2f}"
        colour = COLOURS[colour]
        if metric == "valid_error":
            best = values.argmin()
            style = {"ms": 8, "mfc": "none", "color": colour}
            # On a logarithmic axis, 0 is infinitely far outside.
            ax.plot(epochs[best], values[best], "o", clip_on=not values[best], **style)
            title += f": lowest {values[best]:.2f}, epoch {epochs[best]:g}"
        marker = "o" if len(values) <= 40 else None
        ax.plot(epochs, values, marker=marker, ms=3.5, color=colour, label=label)
    epochs, values = np.concatenate(everything, axis=1)
    ax.set_xlim(min(epochs.min(), 1) - 0.5, epochs.max() + 0.5)
    positive = values[values > 0]
    if panel.may_be_log and positive.size and positive.max() > 10 * positive.min():
        _log_scale(ax)
    elif values.min() >= 0 < values.max():
        ax.set_ylim(0, 1.08 * values.max())
    elif values.min() < 0:
        ax.axhline(0, ls=":", color=COLOURS["muted"])
    _finish(ax, title, panel.unit, "epoch", 6)
    if len(everything) > 1:
        _add_legend(ax, len(everything))


def _best_row(history):
    """Return the row of lowest validation error among those with several glimpses."""
    judged = {*_finite(history, "valid_error")[0]}
    rows = [row for row in history if row["epoch"] in judged]
    rows = [row for row in rows if len(row.get("valid_error_after_glimpse") or ()) > 1]
    return min(rows, key=lambda row: row["valid_error"], default=None)


def _draw_after_glimpse(ax, row):
    """Draw the validation error after each glimpse of one epoch."""
    errors = row["valid_error_after_glimpse"]
    ax.plot(range(1, len(errors) + 1), errors, "o-", ms=4, color=COLOURS["action"])
    if min(errors) > 0:
        _log_scale(ax)
    title = f"Validation error, epoch {row['epoch']}"
    _finish(ax, title, "%", "after glimpse", 9)


def _finish(ax, title, ylabel, xlabel, most_ticks):
    """Add what all axes have: names, a grid, whole numbers along x."""
    ax.set(title=title, ylabel=ylabel, xlabel=xlabel)
    ax.xaxis.set_major_locator(MaxNLocator(most_ticks, integer=True, min_n_ticks=1))
    ax.grid()


def _add_legend(ax, count):
    """Add the legend of `count` lines above them."""
    columns = 1 if count <= 2 else 2
    room = 0.14 * math.ceil(count / columns)
    low, high = ax.get_ylim()
    if ax.get_yscale() == "log":
        ax.set_ylim(top=high * (high / low) ** room)
    else:
        ax.set_ylim(top=high + (high - low) * room)
    style = {"fontsize": 7, "labelspacing": 0.2, "borderpad": 0, "handlelength": 1}
    ax.legend(loc="upper right", ncols=columns, **style)


def _log_scale(ax, axis="y"):
    """Make an axis logarithmic, with as many plain numbers as it has room."""
    ax.set(**{f"{axis}scale": "log"})
    low, high = getattr(ax, f"get_{axis}lim")()
    subs = (1, 2, 5) if high < 1000 * low else (1,)
    axis = getattr(ax, f"{axis}axis")
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")


def _finite(rows, metric):
    """Return epochs and values (2, n) of the rows where the metric is finite."""
    points = [(row["epoch"], row.get(metric)) for row in rows]
    points = [p for p in points if p[1] is not None and math.isfinite(p[1])]
    return np.array(points, float).reshape(-1, 2).T
