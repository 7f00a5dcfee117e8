"""Every file of docs/CHANGE.md runs unchanged, with one thread and with two."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ramnp
from ramnp.learning import choices
from ramnp.support import checkpoint
from ramnp.support.errors import CheckpointError
from tests.helpers import TINY_RUN

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "CHANGE.md").read_text("utf-8")
FILES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, flags=re.DOTALL))


@pytest.fixture
def folder(tmp_path):
    """A folder with all files of the page."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def call(folder, *arguments):
    """Run Python in a folder; return what it prints."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("my_reward.py", "--reward=probability"),
        ("my_optimizer.py", "--optimizer=lion"),
        ("my_core.py", "--core=leaky"),
        ("my_sensor.py", "--sensor=contrast"),
    ],
)
def test_a_change_of_ones_own_trains(name, setting, folder, digits_file):
    """It changes the weights, and one thread gives the same bits as two."""
    assert name in FILES
    options = [*TINY_RUN, "--epochs=1", "--data", digits_file]
    weights = []
    for extra in ([setting, "--threads=1"], [setting, "--threads=2"], ["--threads=1"]):
        run = f"run-{len(weights)}"
        call(folder, name, *options, *extra, "--run", run)
        arrays, _ = checkpoint.load(folder / run / "checkpoint.npz")
        weights.append(arrays["parameters"].tobytes())
    assert weights[0] == weights[1] != weights[2]


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
