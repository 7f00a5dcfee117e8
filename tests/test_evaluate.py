"""python -m ramnp.evaluate: the numbers of the run, to the digit."""

import json

import pytest

from ramnp import evaluate
from ramnp.support.errors import CheckpointError, UserError


def test_json_is_the_result_of_the_run(finished_run, digits_file, capsys):
    """One object on stdout with the keys and values of result.json."""
    for run in (finished_run, finished_run / "best.npz"):
        assert evaluate.main([str(run), "--json", "--data", digits_file]) == 0
        printed = capsys.readouterr().out
        assert printed.count("\n") == 1
        result = json.loads((finished_run / "result.json").read_text())
        assert json.loads(printed) == result


def test_the_text_says_the_same(finished_run, digits_file, capsys):
    """The error of one rollout with its interval, of several, and deterministic."""
    assert evaluate.main([str(finished_run), "--data", digits_file]) == 0
    text = capsys.readouterr().out
    result = json.loads((finished_run / "result.json").read_text())
    for key in ("test_error", "test_error_rollouts", "test_error_deterministic"):
        assert f"{result[key]:.2f} %" in text
    for bound in result["interval_95"]:
        assert f"{bound:.2f}" in text


def test_rollouts_change_only_the_averaged_error(finished_run, digits_file, capsys):
    """The headline error stays that of one rollout."""
    evaluate.main([str(finished_run), "--json", "--rollouts=5", "--data", digits_file])
    result = json.loads(capsys.readouterr().out)
    before = json.loads((finished_run / "result.json").read_text())
    assert result["rollouts"] == 5
    assert result["test_error"] == before["test_error"]


def test_a_missing_run_is_one_line(tmp_path, digits_file):
    """A missing run, a folder without an agent, rollouts out of range."""
    for arguments, error in (
        ([str(tmp_path / "nowhere")], CheckpointError),
        ([str(tmp_path)], CheckpointError),
        ([str(tmp_path), "--rollouts=0"], UserError),
        ([], UserError),
    ):
        with pytest.raises(error) as caught:
            evaluate.main([*arguments, "--data", digits_file])
        assert "\n" not in str(caught.value)
