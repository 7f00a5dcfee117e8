"""Settings as options, and back."""

import dataclasses

import pytest

from ramnp.learning.config import Config
from ramnp.runs import options
from ramnp.support import command_line

SETTINGS = {
    "task": "cluttered",
    "policy_into_core": True,
    "identity_recurrence": False,
    "num_rollouts": 3,
    "rollouts": 4,
    "learning_rate": 3e-05,
    "locator_bound": "hard-tanh",
}


def parse(*arguments):
    parser = command_line.Parser()
    options.add_settings(parser, arguments)
    return options.given_settings(parser.parse_args(arguments))


def test_settings_come_back_from_their_options():
    """Each with its type, and no other."""
    words = options.as_options(SETTINGS)
    assert "--training-rollouts" in words and "--no-identity-recurrence" in words
    assert parse(*words) == SETTINGS
    assert parse() == {}


def test_former_names_are_still_options():
    """The fields' own names, and the former one of the bound of the mean."""
    assert parse("--num-rollouts=3", "--rollouts=4") == {
        "num_rollouts": 3,
        "rollouts": 4,
    }
    assert parse("--locator-tanh") == {"locator_bound": "tanh"}
    assert parse("--no-locator-tanh") == {"locator_bound": "none"}


@pytest.mark.parametrize("asked", ["--help", "--help-all"])
def test_help_shows_the_defaults_of_task_and_recipe(asked, capsys):
    """--help those of the most common settings, --help-all of all that have a choice."""
    with pytest.raises(SystemExit):
        parse("--task=cluttered", "--recipe=paper", asked)
    shown = " ".join(capsys.readouterr().out.split())  # however wide the terminal
    assert "(default: 0.01)" in shown and "(default: cluttered)" in shown
    for spec in dataclasses.fields(Config):
        if spec.name in options.COMMON:
            assert f"--{spec.name.replace('_', '-')} " in shown
    assert ("--policy-into-core" in shown) == (asked == "--help-all")
    assert "--locator-tanh" not in shown
