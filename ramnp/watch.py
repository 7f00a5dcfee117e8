"""Watch an agent look: python -m ramnp.watch RUN."""

import webbrowser
from pathlib import Path

from ramnp.datasets import scenes
from ramnp.figures import page
from ramnp.runs import agent_file, run_data
from ramnp.support import command_line
from ramnp.support.files import write_atomically


def parse(arguments):
    """Return the options of the command."""
    parser = command_line.Parser(
        prog="python -m ramnp.watch",
        description="Write one HTML file in which a trained agent looks at what you "
        "draw, and open it. It works offline and can be mailed.",
    )
    command_line.add_run(parser, default="cluttered")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="file to write (default: watch.html, in the run folder if RUN is one)",
    )
    parser.add_argument(
        "--no-open", action="store_true", help="write the file without opening it"
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="images to make test scenes of (default: the run's own, else MNIST)",
    )
    return parser.parse_args(arguments)


def main(arguments):
    """Run the command; return its exit code."""
    options = parse(arguments)
    agent = agent_file.load(options.run)
    run = Path(options.run)
    name = run.resolve().name
    page.check(agent, name)
    digits = run_data.load_again(options.run, agent, options.data)
    images, labels = scenes.frozen_chunk(digits.test, "test", 0, agent.config)
    shown = images, labels, digits.test.images
    html = page.fill(agent, name, *shown, agent.class_names)
    default = run / "watch.html" if run.is_dir() else "watch.html"
    path = Path(options.output or default).resolve()
    write_atomically(path, html)
    print(f"{path}: {len(html) / 1e6:.1f} MB, works offline")
    if not options.no_open:
        webbrowser.open(path.as_uri())
    return 0


if __name__ == "__main__":
    command_line.run(main)
