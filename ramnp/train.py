"""Train an agent: python -m ramnp.train --task centered."""

import argparse
import dataclasses
import os

from ramnp.learning.config import LARGEST_SIDE, Config, option_name
from ramnp.learning.recipes import RECIPES, TASKS, fitted, make_config
from ramnp.runs import run_data, run_folder
from ramnp.support import command_line
from ramnp.support.errors import UserError


def parse(arguments):
    """Return the options; settings of the configuration are None if not given."""
    parser = command_line.Parser(
        prog="python -m ramnp.train",
        description="Train a Recurrent Attention Model. The run folder holds config, "
        "metrics, checkpoints, the test result and pictures.",
        epilog="The defaults shown are those of the task and recipe on the same "
        "command line.",
    )
    command_line.add_data_and_threads(parser)
    parser.add_argument(
        "--run", metavar="DIR", help="run folder (default: runs/ and the task's name)"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="resume the run in the folder; results are bit-identical",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse to resume if NumPy, BLAS threads or processor differ",
    )
    parser.add_argument(
        "--save-every",
        type=int,
        default=0,
        metavar="STEPS",
        help="also save the state every N steps (default: 0, only after each epoch)",
    )
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        metavar=("H", "W"),
        help="resize the images to H x W pixels, aspect kept (default: as they are; "
        "pictures of several sizes to their median size, of at most 128 pixels a side)",
    )
    settings = parser.add_argument_group("configuration")
    defaults = _defaults(arguments)
    for spec in dataclasses.fields(Config):
        _add_setting(settings, spec, getattr(defaults, spec.name))
    options = parser.parse_args(arguments)
    if options.save_every < 0:
        raise UserError(f"--save-every {options.save_every}: must be at least 0")
    return options


def _defaults(arguments):
    """Return the configuration whose values --help shows."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--task", choices=TASKS, default="centered")
    parser.add_argument("--recipe", choices=RECIPES, default="quick")
    try:
        named, _ = parser.parse_known_args(arguments)
    except argparse.ArgumentError:
        return make_config()  # the real parser says what is wrong
    return make_config(named.task, named.recipe)


def _add_setting(group, spec, default):
    """Add the option of a field of the configuration."""
    words = spec.metadata["help"].replace("%", "%%")
    details = {"help": f"{words} (default: {default})", "default": None}
    if spec.type is bool:
        details["action"] = argparse.BooleanOptionalAction
    else:
        details["type"] = spec.type
        details["choices"] = spec.metadata["choices"]
        if details["choices"] and len(details["choices"]) == 1:
            details["help"] = argparse.SUPPRESS  # until another is registered
        if not details["choices"]:
            details["metavar"] = {int: "N", float: "X"}[spec.type]
    group.add_argument(option_name(spec.name), **details)


def main(arguments):
    """Run the command; return its exit code."""
    options = parse(arguments)
    changes = {
        spec.name: getattr(options, spec.name)
        for spec in dataclasses.fields(Config)
        if getattr(options, spec.name) is not None
    }
    if options.size:
        height, width = options.size
        changes |= {"image_height": height, "image_width": width, "resize": True}
    folder = options.run or os.path.join("runs", changes.get("task", "centered"))
    threads = command_line.num_threads(options.threads)
    if options.resume:
        config, digits = run_folder.read_run(folder, changes, options.data)
    else:
        run_folder.refuse_if_in_use(folder)
        # Refuse what is wrong whatever the data; its size is not known yet.
        large = dict.fromkeys(("image_height", "image_width"), LARGEST_SIDE)
        asked = make_config(**((large if not changes.get("resize") else {}) | changes))
        digits = run_data.load(asked, options.data)
        config = fitted(digits, **changes)
    run_folder.run(
        config,
        digits,
        folder,
        threads=threads,
        resume=options.resume,
        strict=options.strict,
        save_every=options.save_every,
    )
    return 0


if __name__ == "__main__":
    command_line.run(main)
