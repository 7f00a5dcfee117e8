"""Each number of a row is a scalar of TensorBoard, under its own name."""

import sys
import types

import pytest

from ramnp import train
from ramnp.runs import run_folder, tensorboard
from ramnp.support.errors import UserError
from tests.helpers import TINY_RUN


@pytest.fixture
def written(monkeypatch):
    """What a stand-in for the package is told: a list of (name, value, epoch)."""
    told = []

    class Writer:
        def __init__(self, folder):
            told.append(folder)

        def add_scalar(self, name, value, step):
            told.append((name, value, step))

        def flush(self):
            told.append("flushed")

    package = types.ModuleType("tensorboard.summary")
    package.Writer = Writer
    monkeypatch.setitem(sys.modules, "tensorboard", types.ModuleType("tensorboard"))
    monkeypatch.setitem(sys.modules, "tensorboard.summary", package)
    return told


@pytest.mark.usefixtures("no_pictures")
def test_every_epoch_is_written_and_flushed(written, digits_file, tmp_path):
    """As metrics.jsonl has it, from the option of the command on."""
    options = [*TINY_RUN, "--data", digits_file, "--run", str(tmp_path / "run")]
    train.main([*options, "--tensorboard"])
    expected = [str(tmp_path / "run")]
    for row in run_folder.read_history(tmp_path / "run"):
        scalars = tensorboard.scalars(row)
        expected += [(name, value, row["epoch"]) for name, value in scalars.items()]
        expected.append("flushed")
    assert written == expected and len(expected) > 3 * 10


def test_nothing_is_written_before_the_first_epoch(written, tmp_path):
    """A run that is refused leaves no folder."""
    tensorboard.logger(tmp_path)
    assert written == []


def test_nested_numbers_have_a_name_each():
    """A dict by its keys, a list from 1."""
    row = {"epoch": 2, "norms": {"core": 0.5}, "errors": [9.0, 3.0]}
    assert tensorboard.scalars(row) == {
        "epoch": 2,
        "norms/core": 0.5,
        "errors/1": 9.0,
        "errors/2": 3.0,
    }


def test_without_the_package_one_line_says_how_to_get_it(monkeypatch, tmp_path):
    """It is an optional extra."""
    monkeypatch.setitem(sys.modules, "tensorboard.summary", None)
    with pytest.raises(UserError) as error:
        tensorboard.logger(tmp_path)
    assert str(error.value) == (
        "--tensorboard needs the package tensorboard: pip install tensorboard"
    )
