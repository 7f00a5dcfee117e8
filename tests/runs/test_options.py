"""Settings as options, and back."""

import dataclasses

import pytest

from ramnp.learning.config import SECTIONS, Config, option_name
from ramnp.learning.recipes import make_config
from ramnp.runs import options
from ramnp.support import command_line
from ramnp.support.errors import UserError

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
    assert "--help-all explain every setting, then exit" in shown


@pytest.mark.parametrize("model", ["ram", "conv"])
def test_help_all_explains_every_setting(model, monkeypatch, capsys):
    """Under its section: name, kind of value, text and default of the chosen model.

    A setting of one choice has nothing to explain.
    """
    monkeypatch.setenv("COLUMNS", "1000")  # no word is broken
    with pytest.raises(SystemExit):
        parse("--task=translated", "--recipe=best", f"--model={model}", "--help-all")
    shown = " ".join(capsys.readouterr().out.split())
    defaults = make_config("translated", "best", model=model)
    for spec in dataclasses.fields(Config):
        kind = {int: " N ", float: " X "}.get(spec.type, " ")
        choices = spec.metadata["choices"]
        if choices:
            kind = f" {{{','.join(map(str, choices))}}} "
        default = f"(default: {getattr(defaults, spec.name)})"
        line = f"{option_name(spec.name)}{kind}"
        if spec.type is bool:
            line = f"{option_name(spec.name)}, --no-{option_name(spec.name)[2:]} "
        line += f"{spec.metadata['help']} {default}"
        assert (line in shown) == (not choices or len(choices) > 1), line
    for title in SECTIONS.values():
        assert f" {title}: --" in shown


@pytest.mark.parametrize("wrong", ["--task=x", "--recipe=x", "--model=x"])
def test_a_wrong_choice_is_said_by_the_parser_of_the_command(wrong):
    """Not by the one that only looks for the defaults."""
    with pytest.raises(UserError, match=f"argument {wrong[:-2]}: invalid choice: 'x'"):
        parse(wrong)


def test_only_the_first_dashes_of_a_switch_are_negated():
    """A name with two dashes within stays as it is."""
    assert options.as_options({"a__b": False}) == ["--no-a--b"]
