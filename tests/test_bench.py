"""python -m ramnp.bench: one task or all, as a table or as JSON."""

import contextlib
import io
import json
import subprocess

import pytest

from ramnp import bench
from ramnp.learning.recipes import PAPER_ERRORS as TASKS
from ramnp.support.errors import UserError

pytestmark = pytest.mark.usefixtures("brief_measurements")

PROMISED = {
    "train_images_per_second",
    "predict_images_per_second",
    "latency_ms",
    "sgemm_share",
    "peak_mib",
    "square_share",
    "paper_images_per_second",
    "paper_images_per_second_10_rollouts",
}


def run_here(command, **_):
    """Run python -m ramnp.bench in this process, which has loaded everything."""
    assert command[1:3] == ["-m", "ramnp.bench"]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = bench.main(command[3:])
    return subprocess.CompletedProcess(command, code, out.getvalue())


@pytest.mark.parametrize(
    "run", [run_here, pytest.param(subprocess.run, marks=pytest.mark.slow)]
)
def test_json_has_every_task_and_every_promised_number(
    run, digits_file, capfd, monkeypatch
):
    """Without --task, each task is measured in its own process."""
    tasks = [*TASKS][::2]  # enough to be more than one
    monkeypatch.setattr(bench, "TASKS", tasks)
    monkeypatch.setattr(subprocess, "run", run)
    assert bench.main(["--json", "--rounds=1", "--data", digits_file]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report.keys() == {"tasks", "sgemm_gflops", "threads"}
    assert list(report["tasks"]) == tasks
    for numbers in report["tasks"].values():
        assert numbers.keys() >= PROMISED
        assert all(numbers[name] > 0 for name in PROMISED)
    assert report["sgemm_gflops"] > 0


def test_one_task_as_a_table(digits_file, capsys):
    """A column for the task, a line for each number and each stage."""
    arguments = ["--task=centered", "--rounds=1", "--threads=1", "--data", digits_file]
    assert bench.main(arguments) == 0
    text = capsys.readouterr().out
    assert text.startswith("1 threads")
    for name in [*bench.COLUMNS, "centered", "scenes", "core backward", "rest"]:
        assert name in text


def test_a_task_that_fails_ends_the_command_with_its_exit_code(tmp_path, capfd):
    """Its process says what is wrong in one line; no result is printed."""
    assert bench.main(["--json", "--data", str(tmp_path / "absent.npz")]) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1


def test_rounds_must_be_positive():
    """A median needs a measurement."""
    with pytest.raises(UserError, match="--rounds 0: must be at least 1"):
        bench.main(["--rounds=0"])
