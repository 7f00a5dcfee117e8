"""trials.png: the error of each trial of a random search, by each sampled setting."""

import math

from matplotlib.figure import Figure

from ramnp.figures.style import COLOURS, save, styled

COLUMNS = 3


@styled
def draw_trials(panels, errors, path):
    """Draw a panel for each setting, {name: (values, scale)}, as a PNG.

    errors: of each trial, in percent; infinite for a trial without a result, marked by
    a cross at the top. scale: linear, log, or the list of values to choose from.
    """
    rows = max(1, math.ceil(len(panels) / COLUMNS))
    columns = min(len(panels), COLUMNS)
    figure = Figure(figsize=(0.4 + 3 * columns, 0.3 + 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    found = [error for error in errors if not math.isinf(error)]
    for ax, (name, (values, scale)) in zip(axes.flat, panels.items()):
        if isinstance(scale, list):
            ax.set_xticks(range(len(scale)), scale)
            ax.set_xlim(-0.5, len(scale) - 0.5)
            values = [scale.index(value) for value in values]
        else:
            ax.set_xscale(scale)
        _draw(ax, values, errors, found)
        ax.set_xlabel(name)
        ax.grid()
    if found and min(found) > 0 and max(found) > 10 * min(found):
        axes[0, 0].set_yscale("log")
        axes[0, 0].yaxis.set_major_formatter("{x:g}")
    for ax in axes[:, 0]:
        ax.set_ylabel("validation error (%)")
    for ax in axes.flat[len(panels) :]:
        ax.remove()
    save(figure, path)


def _draw(ax, values, errors, found):
    style = {"clip_on": False, "color": COLOURS["action"]}
    ax.plot(values, errors, "o", ms=4, alpha=0.6, **style)
    if found:
        best = errors.index(min(found))
        ax.plot(values[best], errors[best], "o", ms=9, mfc="none", **style)
    failed = [x for x, error in zip(values, errors) if math.isinf(error)]
    style = {"ms": 5, "color": COLOURS["wrong"]}
    at_the_top = ax.get_xaxis_transform()  # y as a fraction of the height
    ax.plot(failed, [0.98] * len(failed), "x", transform=at_the_top, **style)
