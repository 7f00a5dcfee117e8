"""Runs side by side: grouped over seeds, and only what differs is named."""

import json
import os
import shutil

import numpy as np
import pytest

from ramnp.study import groups
from ramnp.support.errors import UserError


@pytest.fixture
def runs(finished_run, tmp_path):
    """Copies of a finished run under other settings, {name: folder}."""

    def copy(name, error, **changes):
        folder = tmp_path / name
        folder.mkdir()
        fields = json.loads((finished_run / "config.json").read_text()) | changes
        (folder / "config.json").write_text(json.dumps(fields))
        lines = (finished_run / "metrics.jsonl").read_text().splitlines()
        rows = [json.loads(line) | {"valid_error": error} for line in lines]
        (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
        result = json.loads((finished_run / "result.json").read_text())
        result |= {"test_error": error + 1}
        (folder / "result.json").write_text(json.dumps(result))
        return str(folder)

    return {
        "a0": copy("a0", 10.0, seed=0),
        "a1": copy("a1", 14.0, seed=1),
        "b": copy("b", 20.0, momentum=0.5, discount=0.25),
    }


def test_seeds_are_one_group_and_what_differs_is_told(runs, tmp_path):
    """Two seeds and another run: two groups, and a column of settings each."""
    one, other = found = groups.read(runs.values())
    assert len(one.runs) == 2 and len(other.runs) == 1
    assert one.name == str(tmp_path / "a*") and other.name == runs["b"]
    head, *lines = groups.differences(found).splitlines()
    assert head.split() == ["setting", one.name, other.name]
    assert [line.split()[0] for line in lines] == ["discount", "momentum"]
    assert lines[1].split()[1:] == ["0.9", "0.5"]


def test_no_two_groups_share_a_name(runs, tmp_path, monkeypatch):
    """Where a pattern would, or says nothing, a group is called by all its folders."""
    monkeypatch.chdir(tmp_path)
    one, other = groups.read(["a0", runs["a1"], "b"])
    assert one.name == f"a0, {runs['a1']}" and other.name == "b"
    shutil.copytree("b", "a2")
    shutil.copytree("b", "ab")
    one, other = groups.read(["a0", "a1", "a2", "ab"])
    assert (one.name, other.name) == ("a0, a1", "a2, ab")


def test_where_nothing_differs_it_says_so(runs):
    """The seed alone is no difference."""
    found = groups.read([runs["a0"], runs["a1"]])
    assert len(found) == 1
    assert groups.differences(found) == "all settings are the same"


def test_a_folder_without_a_run_is_named(tmp_path):
    """With advice for this command, which has no --resume."""
    with pytest.raises(UserError, match=f"^there is no run in {tmp_path}: give fold"):
        groups.read([tmp_path])


def test_the_same_folder_twice_counts_once(runs):
    """A pattern of the shell and a name may give one folder twice."""
    (group,) = groups.read([runs["b"], runs["b"] + "/"])
    assert len(group.runs) == 1


def test_the_table_has_means_and_spreads(runs):
    """12 ± 2.83 over the seeds 10 and 14; test errors are those of result.json."""
    head, one, other = groups.table(groups.read(runs.values())).splitlines()
    assert head.split() == [
        *["group", "runs", "epochs", "validation"],
        *["test", "averaged", "minutes"],
    ]
    assert "12.00 ± 2.83" in one and "13.00 ± 2.83" in one
    assert "20.00" in other and "21.00" in other and "±" not in other


def test_a_run_without_a_result_has_a_dash(runs):
    """It may still be training."""
    path = f"{runs['b']}/result.json"
    open(path, "w").close()
    with pytest.raises(UserError, match="are damaged: train it first"):
        groups.read([runs["b"]])
    os.remove(path)
    _, line = groups.table(groups.read([runs["b"]])).splitlines()
    assert line.split()[-3:-1] == ["-", "-"]


def test_curves_are_means_over_seeds(runs):
    """And rollouts count images times rollouts, minutes seconds."""
    one, other = groups.read(runs.values())
    x, mean, spread = groups.curve(one, "valid_error", "epochs")
    assert x.tolist() == [1, 2, 3] and mean.tolist() == [12.0] * 3
    np.testing.assert_allclose(spread, np.std([10, 14], ddof=1))
    config = other.runs[0].config
    x, _, spread = groups.curve(other, "valid_error", "rollouts")
    assert x.tolist() == [4 * n * config.batch_size for n in (1, 2, 3)]
    assert not spread.any()
    x, _, _ = groups.curve(other, "valid_error", "minutes")
    assert x[-1] == pytest.approx(other.runs[0].history[-1]["seconds"] / 60)


def test_a_metric_that_is_none_is_told_with_those_that_are(runs):
    """One line with every number of a row."""
    (group,) = groups.read([runs["b"]])
    for metric in ("speed", "gradient_norms"):
        with pytest.raises(UserError, match=f"--metric {metric}: choose one of epoch,"):
            groups.curve(group, metric, "epochs")


def test_a_folder_without_an_epoch_is_told(runs, tmp_path):
    """No run at all, or one that has just begun."""
    with pytest.raises(UserError, match="there is no run in"):
        groups.read([str(tmp_path / "nowhere")])
    open(f"{runs['b']}/metrics.jsonl", "w").close()
    with pytest.raises(UserError, match="holds no finished epoch"):
        groups.read([runs["b"]])
