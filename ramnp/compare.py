"""Compare runs, settings and curves: python -m ramnp.compare RUN RUN."""

from ramnp.figures import bands
from ramnp.study import groups
from ramnp.support import command_line


def parse(arguments):
    """Return the options of the command."""
    parser = command_line.Parser(
        prog="python -m ramnp.compare",
        description="Print the final errors of runs and the settings in which they "
        "differ, and draw their curves. Runs that differ only in the seed are one "
        "group: its mean, and its sample standard deviation as a band.",
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="run folders")
    parser.add_argument(
        "--metric",
        default="valid_error",
        help="the metric to draw, a key of metrics.jsonl (default: valid_error)",
    )
    parser.add_argument(
        "--over",
        choices=groups.AXES,
        default="epochs",
        help="horizontal axis of the curves (default: epochs)",
    )
    parser.add_argument(
        "--figure",
        metavar="FILE",
        default="compare.png",
        help="PNG or SVG file to draw (default: compare.png)",
    )
    return parser.parse_args(arguments)


def main(arguments):
    """Run the command; return its exit code."""
    options = parse(arguments)
    found = groups.read(options.runs)
    curves = [groups.curve(group, options.metric, options.over) for group in found]
    print(f"{groups.table(found)}\n\n{groups.differences(found)}")
    names = [group.name for group in found]
    metric = options.metric.replace("_", " ")
    bands.draw_bands(curves, names, options.over, metric, options.figure)
    print(f"\nfigure: {options.figure}")
    return 0


if __name__ == "__main__":
    command_line.run(main)
