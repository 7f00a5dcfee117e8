"""Every file of docs/CHANGE.md runs unchanged, with one thread and with two."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ramnp
from ramnp import train
from ramnp.learning import choices
from ramnp.runs import run_folder
from ramnp.support import checkpoint
from ramnp.support.errors import CheckpointError
from tests.helpers import TINY_RUN

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "CHANGE.md").read_text("utf-8")
FILES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, flags=re.DOTALL))


@pytest.fixture
def folder(tmp_path, no_pictures_in_processes):
    """A folder with all files of the page."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def call(folder, *arguments):
    """Run Python in a folder; return what it prints."""
    command = [sys.executable, *arguments]
    return subprocess.check_output(command, cwd=folder, text=True)


def weights_of(folder, run):
    """Return the bytes of the weights of a run in a folder."""
    arrays, _ = checkpoint.load(folder / run / "checkpoint.npz")
    return arrays["parameters"].tobytes()


@pytest.fixture(scope="module")
def unchanged(digits_file, tmp_path_factory):
    """The weights of the same run with the package as it is."""
    folder = tmp_path_factory.mktemp("unchanged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_folder, "draw", lambda *given: [])
        options = [*TINY_RUN, "--epochs=1", "--data", digits_file]
        assert train.main([*options, "--run", str(folder / "run")]) == 0
    return weights_of(folder, "run")


@pytest.mark.parametrize(
    ("name", "setting", "choice"),
    [
        ("my_reward", "reward", "probability"),
        ("my_optimizer", "optimizer", "lion"),
        ("my_core", "core", "leaky"),
        ("my_sensor", "sensor", "contrast"),
    ],
)
def test_a_change_of_ones_own_trains(
    name, setting, choice, folder, digits_file, unchanged, monkeypatch
):
    """As a script with two threads, as a module with one: the same bits, and others."""
    options = [*TINY_RUN, "--epochs=1", "--data", digits_file, f"--{setting}={choice}"]
    call(folder, f"{name}.py", *options, "--threads=2", "--run", "script")
    monkeypatch.syspath_prepend(folder)
    importlib.import_module(name)
    try:
        train.main([*options, "--threads=1", "--run", str(folder / "module")])
    finally:
        del choices.CHOICES[setting][choice], sys.modules[name]
    weights = weights_of(folder, "script")
    assert weights == weights_of(folder, "module") != unchanged


def test_the_proof_of_the_core_passes_and_can_fail(folder):
    """The page's own check holds, and notices a wrong factor."""
    assert "W_h" in call(folder, "check_my_core.py")
    core = folder / "my_core.py"
    core.write_text(core.read_text().replace("relu_backward(ALPHA *", "relu_backward("))
    with pytest.raises(subprocess.CalledProcessError):
        call(folder, "check_my_core.py")


def test_an_agent_is_loaded_once_its_choice_is_registered(folder, digits_file):
    """A file holds the name alone: without the module, one line names the setting."""
    options = [*TINY_RUN, "--epochs=1", "--data", digits_file, "--reward=probability"]
    call(folder, "my_reward.py", *options, "--run", "run")
    with pytest.raises(CheckpointError, match="--reward probability: choose one of"):
        ramnp.load(folder / "run")
    assert "probability" not in choices.CHOICES["reward"]
    words = "import my_reward, ramnp; print(ramnp.load('run').config.reward)"
    assert call(folder, "-c", words) == "probability\n"
