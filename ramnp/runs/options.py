"""The settings of a run as options of a command line, in both directions."""

import argparse
import dataclasses

from ramnp.learning.choices import CHOICES
from ramnp.learning.config import SECTIONS, Config, option_name
from ramnp.learning.recipes import RECIPES, TASKS, make_config

# The settings that people change first; --help-all shows the others.
COMMON = (
    *("task", "recipe", "model", "seed", "epochs", "num_glimpses", "patch_size"),
    *("num_scales", "h_size", "location_std", "reward", "optimizer"),
    *("learning_rate", "batch_size"),
)


def add_settings(parser, arguments):
    """Add an option for every setting, and --help-all; None if it is not given.

    The defaults that --help shows are those of the task and recipe in the arguments.
    """
    parser.add_argument(
        "--help-all", action="help", help="explain every setting, then exit"
    )
    defaults = _defaults(arguments)
    for spec in dataclasses.fields(Config):
        if spec.name in SECTIONS:
            group = parser.add_argument_group(SECTIONS[spec.name])
        shown = spec.name in COMMON or "--help-all" in arguments
        _add_setting(group, spec, getattr(defaults, spec.name), shown)
    for name, bound in (("--locator-tanh", "tanh"), ("--no-locator-tanh", "none")):
        details = {"action": "store_const", "const": bound, "help": argparse.SUPPRESS}
        parser.add_argument(name, dest="locator_bound", **details)


def given_settings(options):
    """Return {field: value} of the settings among parsed options that were given."""
    return {
        spec.name: getattr(options, spec.name)
        for spec in dataclasses.fields(Config)
        if getattr(options, spec.name) is not None
    }


def as_options(settings):
    """Return the options that give these settings, {field: value}."""
    options = []
    for name, value in settings.items():
        option = option_name(name)
        if isinstance(value, bool):
            options.append(option if value else option.replace("--", "--no-", 1))
        else:
            options += [option, str(value)]
    return options


def _defaults(arguments):
    """Return the configuration whose values --help shows."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--task", choices=TASKS, default="centered")
    parser.add_argument("--recipe", choices=RECIPES, default="quick")
    parser.add_argument("--model", choices=CHOICES["model"], default="ram")
    try:
        named, _ = parser.parse_known_args(arguments)
    except argparse.ArgumentError:
        return make_config()  # the real parser says what is wrong
    return make_config(named.task, named.recipe, model=named.model)


def _add_setting(group, spec, default, shown):
    """Add the option of a field of the configuration, and explain it if shown."""
    words = spec.metadata["help"].replace("%", "%%")
    single = spec.metadata["choices"] and len(spec.metadata["choices"]) == 1
    words = f"{words} (default: {default})"
    details = {"default": None, "dest": spec.name}
    details["help"] = words if shown and not single else argparse.SUPPRESS
    if spec.type is bool:
        details["action"] = argparse.BooleanOptionalAction
    else:
        details["type"] = spec.type
        details["choices"] = spec.metadata["choices"]
        if not details["choices"]:
            details["metavar"] = {int: "N", float: "X"}[spec.type]
    group.add_argument(option_name(spec.name), **details)
    field_option = "--" + spec.name.replace("_", "-")
    if field_option != option_name(spec.name):
        group.add_argument(field_option, **details | {"help": argparse.SUPPRESS})
