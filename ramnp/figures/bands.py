"""Curves of groups of runs: a mean, and a band over the seeds."""

from matplotlib.figure import Figure

from ramnp.figures.style import COLOURS, save, styled

_COLOURS = [
    COLOURS[name] for name in ("action", "policy", "core", "where", "baseline", "what")
]


@styled
def draw_bands(curves, names, xlabel, ylabel, path):
    """Draw each curve (x, mean, standard deviation) under its name, as a PNG or SVG."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    ax = figure.subplots()
    for i, ((x, mean, spread), name) in enumerate(zip(curves, names)):
        style = {"color": _COLOURS[i % len(_COLOURS)]}
        dashes = ("-", "--", ":")[i // len(_COLOURS) % 3]
        marker = "o" if len(x) <= 40 else None
        ax.plot(x, mean, dashes, marker=marker, ms=3, label=name, **style)
        if spread.any():
            ax.fill_between(x, mean - spread, mean + spread, alpha=0.2, lw=0, **style)
    values = [value for _, mean, _ in curves for value in mean]
    if min(values) > 0 and max(values) > 10 * min(values):
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:g}")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.grid()
    figure.legend(loc="outside lower left", ncols=1)
    save(figure, path)
