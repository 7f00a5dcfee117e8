"""Rows, their runs, and which of these are done."""

import dataclasses
import json
import os
from pathlib import Path

import pytest

from ramnp import train
from ramnp.learning.config import Config
from ramnp.learning.recipes import PAPER_ERRORS, TABLES, make_config, paper_row
from ramnp.runs import run_folder
from ramnp.study import rows
from ramnp.support.errors import UserError
from tests.processes import copy_run

ROWS = [(table, row) for table in TABLES for row in rows.row_names(table)]
KEPT = {"config.json", "metrics.jsonl", "result.json"}


@pytest.fixture
def place(tmp_path):
    return rows.Place(str(tmp_path / "runs"), str(tmp_path / "results"))


@pytest.fixture
def job(finished_run):
    """A job whose run is `finished_run`."""
    config, _ = run_folder.read_config(finished_run, {})
    return rows.Job("1a", "best", config)


def put(finished_run, root, job):
    """Copy the finished run into its folder under `root`; return that folder."""
    return str(copy_run(finished_run, Path(root, job.folder)))


def with_changes(job, **changes):
    return job._replace(config=dataclasses.replace(job.config, **changes))


@pytest.mark.parametrize(("table", "row"), ROWS)
def test_a_row_is_what_its_name_says(table, row):
    """The paper's agent, trained by its recipe; the others differ minimally."""
    config = rows.row_config(table, row)
    task = TABLES[table]
    assert config.task == task
    if row in ("quick", "best"):
        assert config == make_config(task, row)
        assert paper_row(config) in PAPER_ERRORS[task]
        return
    if row == "quick-long":
        more = {"1a": 36, "1b": 21, "2a": 20, "2b": 16}
        assert config == make_config(task, "quick", epochs=more[table])
        return
    if row in ("quick-plain", "best-plain"):
        recipe = row.removesuffix("-plain")
        plain = {"deformation": 0.0, "max_shift": 0}
        if row == "best-plain" and table in ("1a", "1b"):
            plain |= {"learning_rate": 0.012, "final_rate": 0.001}
            plain |= {"average_decay": 0.995, "plain_share": 0.0, "epochs": 60}
            plain |= {
                "1a": {"first_glimpse": "near-center"},
                "1b": {"weight_decay": 0.3, "evaluation_location_std": 0.01},
            }[table]
        assert config == make_config(task, recipe, **plain)
        return
    if row == "conv-best":
        found = {
            name: getattr(config, name) for name in ("recipe", "model", "deformation")
        }
        best = make_config(task, "best")
        assert found == {
            "recipe": "best",
            "model": "conv",
            "deformation": best.deformation,
        }
        assert config.num_filter_layers == (3 if table == "1a" else 4)
        return
    assert paper_row(config) == row
    glimpses = {"num_glimpses": config.num_glimpses}
    if row.startswith("ram-") and (table, row) not in rows.FULL_LENGTH:
        assert 50_000 * config.num_rollouts * config.epochs == 10_000_000
        glimpses["epochs"] = config.epochs
    same = {
        "ram": lambda: make_config(task, "paper", **glimpses),
        "random": lambda: make_config(
            task, "best", **glimpses, policy="random", first_glimpse="random"
        ),
        "fc": lambda: make_config(task, epochs=60, model="fc", fc_size=config.fc_size),
        "conv": lambda: make_config(task, epochs=60, model="conv"),
    }
    assert config == same[row.partition("-")[0]]()


@pytest.mark.parametrize("recipe", ["quick", "best"])
@pytest.mark.parametrize("table", TABLES)
def test_a_plain_row_is_another_run(table, recipe):
    """The recipe augments, or it would be the same run twice."""
    config = make_config(TABLES[table], recipe)
    assert config.deformation > 0 or config.max_shift > 0


def test_changes_win_over_the_rows_settings():
    """As in a study with fewer epochs or another seed."""
    config = rows.row_config("2a", "fc-64", epochs=3, seed=2)
    assert (config.epochs, config.seed, config.fc_size) == (3, 2, 64)


@pytest.mark.parametrize(
    "config",
    [
        *(rows.row_config(*pair, seed=3) for pair in ROWS),
        make_config("cluttered", policy_into_core=False, learning_rate=1.5e-7),
        make_config("centered", "paper", policy_into_core=True, first_glimpse="center"),
    ],
)
def test_the_options_of_a_configuration_give_that_configuration(config):
    """The command in the table reproduces the run, to the last setting."""
    options = train.parse(rows.train_options(config, "digits.npz"))
    given = {f.name: getattr(options, f.name) for f in dataclasses.fields(Config)}
    given = {name: value for name, value in given.items() if value is not None}
    assert make_config(**given) == config
    assert options.data == "digits.npz"
    assert train.parse(rows.train_options(config)).data is None


def test_options_equal_to_the_default_are_left_out():
    """The command is as short as possible."""
    config = rows.row_config("1a", "ram-6")
    assert rows.train_options(config) == [
        *("--task", "centered", "--recipe", "paper", "--seed", "0")
    ]


def test_a_row_without_a_result_is_still_to_do(job, place):
    """With the settings that were asked for."""
    assert rows.still_to_do(job, place) == job


def test_a_row_with_a_result_is_done(finished_run, job, place):
    """With any number of epochs, unless one is asked for."""
    put(finished_run, place.results, job)
    assert rows.still_to_do(job, place) is None
    assert rows.still_to_do(job, place, epochs=3) is None
    longer = with_changes(job, epochs=9)
    assert rows.still_to_do(longer, place) is None
    with pytest.raises(UserError, match="--epochs 3, not 9: remove .*seed-0 to train"):
        rows.still_to_do(longer, place, epochs=9)
    assert rows.still_to_do(with_changes(job, seed=1), place)


def test_a_run_that_was_begun_keeps_its_epochs(finished_run, job, place):
    """It is still to do until its result is kept, even if nothing else is missing."""
    put(finished_run, place.runs, job)
    assert rows.still_to_do(with_changes(job, epochs=9), place) == job


@pytest.mark.parametrize("root", ["runs", "results"])
def test_a_run_with_another_setting_is_not_taken_for_this_one(
    root, finished_run, job, place
):
    """One line names the setting and the folder to remove; nothing is changed."""
    folder = put(finished_run, getattr(place, root), job)
    with pytest.raises(UserError) as error:
        rows.still_to_do(with_changes(job, h_size=17), place)
    (line,) = str(error.value).splitlines()
    assert f"{folder}/config.json was trained with --h-size 16, not 17" in line
    assert f"remove {folder} to train again, or leave best out with --rows" in line
    assert len(os.listdir(folder)) == len(os.listdir(finished_run))


def test_only_small_files_are_kept(finished_run, job, place):
    """Configuration, metrics and result, to the byte."""
    put(finished_run, place.runs, job)
    result = rows.keep_result(job, place)
    folder = os.path.join(place.results, "1a", "best", "seed-0")
    assert {*os.listdir(folder)} == KEPT
    for name in KEPT:
        with open(os.path.join(folder, name), "rb") as file:
            assert file.read() == (finished_run / name).read_bytes()
    assert result.config == job.config
    assert result.numbers == json.loads((finished_run / "result.json").read_text())
    assert rows.still_to_do(job, place) is None


def test_an_incomplete_copy_does_not_count(finished_run, job, place, monkeypatch):
    """The result is copied last."""
    put(finished_run, place.runs, job)
    write = rows.write_atomically

    def fail_at_the_result(path, data):
        if path.endswith("result.json"):
            raise UserError("the disk is full")
        write(path, data)

    monkeypatch.setattr(rows, "write_atomically", fail_at_the_result)
    with pytest.raises(UserError, match="full"):
        rows.keep_result(job, place)
    assert rows.still_to_do(job, place) == job


ROW = '{"valid_error": 1.0, "valid_error_after_glimpse": '


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("result.json", ["", "[1]", '{"test_error": 1}', '{"test_error": "1"}']),
        ("result.json", ["[" * 100_000]),
        ("config.json", [None, "{", '{"data": null, "epochs": -1}']),
        ("metrics.jsonl", [None, "", "{", "7\n", '{"valid_error": 1.0}\n']),
        ("metrics.jsonl", [ROW + "[]}\n", ROW + '["1.0"]}\n', ROW + "7}\n"]),
    ],
)
def test_a_damaged_file_is_one_line(name, contents, finished_run, job, place):
    """It names the file and says what to do, without an option of another command."""
    folder = put(finished_run, place.results, job)
    for content in contents:
        os.remove(os.path.join(folder, name))
        if content is not None:
            Path(folder, name).write_text(content)
        with pytest.raises(UserError, match=f"seed-0/{name} is .*damaged: ") as error:
            rows.read_result(folder)
            rows.read_error_after_glimpse(folder)
        assert "\n" not in str(error.value) and "--resume" not in str(error.value)
        Path(folder, name).touch()


def test_the_error_after_each_glimpse_is_that_of_the_best_epoch(tmp_path):
    """The first one if several are best, as in training."""
    errors = [
        (3.0, [9.0, 3.0]),
        (1.0, [7.5, 1.0]),
        (1.0, [8.0, 1.0]),
        (2.0, [5.0, 2.0]),
    ]
    lines = [
        json.dumps({"valid_error": error, "valid_error_after_glimpse": after})
        for error, after in errors
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    assert rows.read_error_after_glimpse(tmp_path) == [7.5, 1.0]


def test_no_result_is_none(tmp_path):
    """Neither without a folder nor without the file."""
    assert rows.read_result(tmp_path / "nowhere") is None
    assert rows.read_result(tmp_path) is None
