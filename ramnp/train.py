"""Train an agent: python -m ramnp.train --task centered."""

import dataclasses
import json
import os
import tomllib

from ramnp.learning.config import field_named, old_bound
from ramnp.learning.recipes import FROM_DATA, fitted, make_config
from ramnp.runs import agent_file, run_data, run_folder, tensorboard
from ramnp.runs.options import add_settings, given_settings
from ramnp.support import command_line, process
from ramnp.support.errors import UserError
from ramnp.support.files import write_atomically

# Settings of how images are read.
OF_IMAGES = ("image_height", "image_width", "channels", "resize", "invert")


def parse(arguments):
    """Return the options; settings of the configuration are None if not given."""
    parser = command_line.Parser(
        prog="python -m ramnp.train",
        description="Train a Recurrent Attention Model. The run folder holds config, "
        "metrics, checkpoints, the test result and pictures.",
        epilog="The defaults shown are those of the task and recipe on the same "
        "command line. --help-all explains all settings.",
    )
    command_line.add_data_and_threads(parser)
    parser.add_argument(
        "--run", metavar="DIR", help="run folder (default: runs/ and the task's name)"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="resume the run in the folder; results are bit-identical. With --epochs, "
        "a larger number than before, train it longer",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse to resume if NumPy, BLAS threads or processor differ",
    )
    parser.add_number(
        "--save-every",
        "also save the state every N steps (default: 0, only after each epoch)",
        0,
        default=0,
        metavar="STEPS",
    )
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        metavar=("H", "W"),
        help="resize the images to H x W pixels, aspect kept (default: as they are; "
        "pictures of several sizes to their median size, of at most 128 pixels a side)",
    )
    parser.add_argument(
        "--init-from",
        metavar="RUN",
        help="start from the weights and settings of a trained agent (a run folder, an "
        "agent's file, or a task), on its data unless --data names other; if the "
        "classes differ, the last layer is initialised anew",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="TOML file of settings; options on the command line override it",
    )
    parser.add_argument(
        "--save-config",
        metavar="FILE",
        help="write the settings of this command to a TOML file, and train nothing",
    )
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="also log the metrics for TensorBoard, in the run folder",
    )
    add_settings(parser, arguments)
    return parser.parse_args(arguments)


def _read_settings(path):
    """Return the settings in a TOML file, by the names of the fields or options."""
    try:
        with open(path, "rb") as file:
            settings = tomllib.load(file)
    except (OSError, ValueError) as error:
        raise UserError(f"--config {path}: {error}; give a TOML file") from error
    settings = {name.replace("-", "_"): value for name, value in settings.items()}
    if "locator_tanh" in settings:
        settings["locator_bound"] = old_bound(settings.pop("locator_tanh"))
    try:
        return {field_named(name).name: value for name, value in settings.items()}
    except UserError as error:
        raise UserError(f"--config {path}: {error}") from error


def _settings_of(agent):
    """Return the settings that a run from an agent's weights shares with its run.

    The number of classes and the size of the images follow from the data, but images
    that were resized keep their size.
    """
    settings = dataclasses.asdict(agent.config)
    del settings["num_classes"]
    if not settings["resize"]:
        del settings["image_height"], settings["image_width"]
    return settings


def _prepare(options, changes, start):
    """Return the configuration and the Digits of a new run, from an agent or None."""
    if not start or options.data:
        return run_folder.prepare_run(changes, options.data)
    digits = run_data.load_again(options.init_from, start)
    config = dataclasses.asdict(start.config)
    if any(changes.get(name, config[name]) != config[name] for name in OF_IMAGES):
        return run_folder.prepare_run(changes, digits.path)
    return fitted(digits, **changes), digits


def _save_config(options, changes, start):
    """Write the settings of the command as TOML; the data decides those of the task own."""
    if changes.get("task") == "own":
        config, _ = _prepare(options, changes, start)
    else:
        config = make_config(**changes)
    fields = dataclasses.asdict(config)
    # Size and classes are those of the data unless they were asked for.
    for name in {*FROM_DATA} - changes.keys():
        del fields[name]
    # JSON strings, numbers and booleans are also valid TOML.
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in fields.items()]
    write_atomically(options.save_config, "".join(lines))
    print(f"settings: {options.save_config}")


def main(arguments):
    """Run the command; return its exit code."""
    options = parse(arguments)
    changes = _read_settings(options.config) if options.config else {}
    changes |= given_settings(options)
    if options.size:
        height, width = options.size
        changes |= {"image_height": height, "image_width": width, "resize": True}
    folder = options.run or os.path.join("runs", changes.get("task", "centered"))
    threads = options.threads or process.num_cores()
    start = None
    if options.resume and options.init_from:
        raise UserError("--resume uses the run's own weights: leave out --init-from")
    if options.resume and options.save_config:
        raise UserError("--save-config saves settings of a new run: leave out --resume")
    if options.init_from:
        start = agent_file.load(options.init_from)
        changes = _settings_of(start) | changes
    if options.save_config:
        _save_config(options, changes, start)
        return 0
    if options.resume:
        config, digits = run_folder.read_run(folder, changes, options.data)
    else:
        run_folder.refuse_if_in_use(folder)
        config, digits = _prepare(options, changes, start)
    run_folder.run(
        config,
        digits,
        folder,
        threads=threads,
        resume=options.resume,
        strict=options.strict,
        save_every=options.save_every,
        init_from=start,
        on_row=tensorboard.logger(folder) if options.tensorboard else None,
    )
    return 0


if __name__ == "__main__":
    command_line.run(main)
