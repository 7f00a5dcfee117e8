"""Let an agent look at pictures of your own: python -m ramnp.look RUN IMAGE."""

import argparse
import os

import numpy as np

from ramnp.figures import film, glimpses
from ramnp.runs import agent_file, own_pictures
from ramnp.support import command_line
from ramnp.support.errors import UserError
from ramnp.support.files import make_folder

MOST = 16  # pictures in one sheet


def parse(arguments):
    """Return the options of the command."""
    parser = command_line.Parser(
        prog="python -m ramnp.look",
        description="Let a trained agent look at picture files: print the predicted "
        "classes, and draw the glimpses as a sheet (PNG) and a film (GIF).",
    )
    command_line.add_run(parser)
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="picture files")
    parser.add_argument(
        "--output", metavar="DIR", default=".", help="folder to draw into (default: .)"
    )
    parser.add_argument(
        "--invert",
        action=argparse.BooleanOptionalAction,
        help="turn dark ink on white into white on black, or not (default: as in the "
        "images that the agent was trained on)",
    )
    options = parser.parse_args(arguments)
    if len(options.images) > MOST:
        raise UserError(
            f"{len(options.images)} pictures: give at most {MOST} at a time"
        )
    return options


def main(arguments):
    """Run the command; return its exit code."""
    options = parse(arguments)
    agent = agent_file.load(options.run)
    if agent.config.model != "ram":
        raise UserError(
            f"{options.run} is a comparison network, which has no glimpses: choose an "
            "agent whose --model is ram"
        )
    images, notes = own_pictures.prepare(options.images, agent, options.invert)
    seen = agent.predict(images, prepared=True)
    for path, word in zip(options.images, notes):
        print(f"{path}: {word}")
    for path, c, p in zip(options.images, seen.classes, seen.probabilities):
        print(f"{path}: {agent.class_names[c]}, {100 * p[c]:.0f} %")
    make_folder(options.output)
    shown = images / np.float32(255), None, seen, agent.config
    looks = os.path.join(options.output, "looks")
    glimpses.draw_glimpses(*shown, f"{looks}.png", agent.class_names)
    film.animate_glimpses(*shown, f"{looks}.gif", agent.class_names)
    print(f"pictures: {looks}.png {looks}.gif")
    return 0


if __name__ == "__main__":
    command_line.run(main)
