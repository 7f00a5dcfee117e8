"""python -m ramnp lists every command, and says which version this is."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ramnp
from ramnp import __main__ as listing
from ramnp.support.errors import UserError

ROOT = Path(__file__).parents[1]


def test_every_command_is_listed_with_what_it_does(capsys):
    """Each file that calls command_line.run, one line each."""
    assert listing.main([]) == 0
    text = capsys.readouterr().out
    for path in (ROOT / "ramnp").glob("*.py"):
        runs = "command_line.run(main)" in path.read_text("utf-8")
        assert (f"python -m ramnp.{path.stem} " in text) == (
            runs and path.stem != "__main__"
        )
    assert "Train an agent" in text


def test_the_version_is_that_of_the_project(capsys):
    """One number, in the package and in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert listing.main(["--version"]) == 0
    assert capsys.readouterr().out == f"ramnp {project['version']}\n"
    assert ramnp.__version__ == project["version"]


def test_a_command_without_its_dot_is_told():
    """`python -m ramnp train` is a typing slip with one answer."""
    with pytest.raises(UserError, match=r"train: .* python -m ramnp\.train"):
        listing.main(["train"])


def test_it_runs_as_a_module():
    """The list comes from the real command, too."""
    printed = subprocess.check_output([sys.executable, "-m", "ramnp"], text=True)
    assert "python -m ramnp.train" in printed
