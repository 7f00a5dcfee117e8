"""The command that compares runs."""

import os

import pytest

from ramnp import compare
from ramnp.support.errors import UserError


def test_it_prints_a_table_and_draws_a_figure(finished_run, tmp_path, capsys):
    """One run is a comparison with nothing, and still a table and a curve."""
    figure = tmp_path / "curves.svg"
    options = ["--figure", str(figure), "--over", "minutes"]
    assert compare.main([str(finished_run), *options]) == 0
    printed = capsys.readouterr().out
    assert finished_run.name in printed and str(figure) in printed
    assert figure.read_text().startswith("<?xml")


@pytest.mark.parametrize(
    "arguments", [[], ["--over", "days"], ["--metric", "speed"], ["nowhere"]]
)
def test_bad_input_is_one_line_and_draws_nothing(
    arguments, finished_run, tmp_path, monkeypatch
):
    """What is missing or unknown is named."""
    monkeypatch.chdir(tmp_path)
    runs = [str(finished_run)] if arguments and arguments != ["nowhere"] else []
    with pytest.raises(UserError) as error:
        compare.main([*runs, *arguments])
    assert "\n" not in str(error.value) and not os.listdir(tmp_path)
