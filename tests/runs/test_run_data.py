"""A run's data is found again, or one line says why not; it is never replaced."""

import json
import os
import shutil

import numpy as np
import pytest

from ramnp import evaluate, train
from ramnp.datasets import mnist
from ramnp.runs import agent_file, run_data
from ramnp.support import checkpoint
from ramnp.support.errors import DataError, UserError
from tests.helpers import TINY_RUN, small_split, tiny_config, write_digits


@pytest.fixture(scope="module")
def own_run(tmp_path_factory):
    """The folder of a run on own data, given by a path relative to where it began."""
    home = tmp_path_factory.mktemp("own")
    before = os.getcwd()
    os.chdir(home)
    write_digits("bars.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ramnp.runs.run_folder.draw", lambda *arguments: [])
        assert train.main([*TINY_RUN, "--data", "bars.npz", "--run", "run"]) == 0
    os.chdir(before)
    return home / "run"


@pytest.fixture
def run(own_run, tmp_path):
    """A copy of the run that a test may change, and of its data beside it."""
    shutil.copytree(own_run, tmp_path / "run")
    shutil.copy(own_run.parent / "bars.npz", tmp_path)
    return tmp_path / "run"


def result_of(run, capsys, *options):
    assert evaluate.main([str(run), "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)


def test_evaluate_tests_on_the_data_of_the_run(own_run, capsys, monkeypatch, tmp_path):
    """From any folder, by the run or its file alone: the error of result.json."""
    expected = json.loads((own_run / "result.json").read_text())
    monkeypatch.chdir(tmp_path)
    shutil.copy(own_run / "best.npz", "moved.npz")
    for each in (own_run, own_run / "best.npz", "moved.npz"):
        assert result_of(each, capsys) == expected
    assert (
        mnist.load(expected["data_sha256"] and own_run.parent / "bars.npz").sha256
        == (expected["data_sha256"])
    )


def test_data_that_is_missing_or_has_changed_is_one_line(run, tmp_path):
    """It is never replaced by MNIST or by other data at its path."""
    data = tmp_path / "bars.npz"
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"data": str(data)}))
    agent, row = agent_file.load_with_training(run)
    about = agent.data | {"path": str(data)}
    agent_file.save(run / "best.npz", agent._replace(data=about), row)
    assert evaluate.main([str(run)]) == 0
    other = small_split(5, 126, 12, 12)
    np.savez(data, images=other.images, labels=other.labels)
    found, wanted = mnist.load(data).sha256[:12], about["sha256"][:12]
    for command in (evaluate.main, lambda a: train.main(["--resume", "--run", *a])):
        with pytest.raises(DataError) as error:
            command([str(run)])
        assert str(error.value) == (
            f"{data} is not the data that {run} was trained on, or has changed since "
            f"(its SHA-256 is {found}..., not {wanted}...): restore it, or name it by "
            "--data"
        )
    data.unlink()
    for command in (evaluate.main, lambda a: train.main(["--resume", "--run", *a])):
        with pytest.raises(DataError) as error:
            command([str(run)])
        assert str(error.value) == (
            f"{data} does not exist, but {run} was trained on it: restore it, or name "
            "it by --data"
        )


def test_other_data_is_tested_on_with_a_warning(run, tmp_path, capsys):
    """Named by --data; its classes are those of the agent, by their names."""
    split = small_split(5, 126, 12, 12)
    few = split.labels < 3
    np.savez(tmp_path / "other.npz", images=split.images[few], labels=split.labels[few])
    assert evaluate.main([str(run), "--data", str(tmp_path / "other.npz")]) == 0
    warning = f"warning: {tmp_path / 'other.npz'} is not known to be the data that the "
    warning += "agent was trained on; its test images may be among those\n"
    assert capsys.readouterr().err.endswith(warning)
    np.savez(tmp_path / "other.npz", images=split.images, labels=split.labels + 1)
    with pytest.raises(DataError, match="class 10, which is not one of the classes"):
        evaluate.main([str(run), "--data", str(tmp_path / "other.npz")])


def test_other_data_is_fitted_into_the_size_that_the_agent_knows(run, tmp_path, capsys):
    """It says so; classes that are missing there do not matter."""
    split = small_split(5, 126, 24, 36)
    np.savez(tmp_path / "other.npz", images=split.images, labels=split.labels)
    digits = run_data.load_again(run, agent_file.load(run), str(tmp_path / "other.npz"))
    assert digits.test.images.shape == (18, 12, 12)
    err = capsys.readouterr().err
    assert "note: train images of 24 x 36 pixels are resized to 12 x 12" in err


def test_images_are_prepared_as_the_configuration_says(tmp_path):
    """Their size, their colours, and which side is ink."""
    images = np.random.default_rng(0).integers(
        256, size=(126, 8, 10, 3), dtype=np.uint8
    )
    labels = small_split(5, 126).labels
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    settings = {"channels": 3, "image_height": 8, "image_width": 10}
    plain = run_data.load(tiny_config(**settings), tmp_path / "a.npz").train
    inverted = run_data.load(tiny_config(**settings, invert=True), tmp_path / "a.npz")
    assert plain.images.shape == (90, 8, 10, 3)
    assert np.array_equal(inverted.train.images, 255 - plain.images)
    grey = run_data.load(tiny_config(**settings | {"channels": 1}), tmp_path / "a.npz")
    assert grey.train.images.shape == (90, 8, 10)
    settings |= {"image_height": 4, "image_width": 5}
    kept = run_data.load(tiny_config(**settings), tmp_path / "a.npz")
    assert np.array_equal(kept.train.images, plain.images)
    small = run_data.load(tiny_config(**settings, resize=True), tmp_path / "a.npz")
    assert small.train.images.shape == (90, 4, 5, 3)


def as_begun_before(run, data):
    """Make of a run what an earlier version would have left: splits in order, no names."""
    agent, row = agent_file.load_with_training(run)
    agent_file.save(run / "best.npz", agent._replace(data=None), row)
    config = json.loads((run / "config.json").read_text())
    for name in ("data_sha256", "resize", "invert"):
        del config[name]
    (run / "config.json").write_text(json.dumps(config | {"data": str(data)}))
    (run / "result.json").unlink()
    with np.load(data) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    parts = [slice(90), slice(90, 108), slice(108, 126)]
    splits = [mnist.Split(images[part], labels[part]) for part in parts]
    path = run / "checkpoint.npz"
    arrays, meta = checkpoint.load(path)
    checkpoint.save(path, arrays, meta | {"data_sha256": mnist.digest(*splits)})
    return splits


def test_a_run_begun_before_is_tested_on_its_own_splits(run, tmp_path, capsys):
    """In order, as then: its test images were not trained on."""
    splits = as_begun_before(run, tmp_path / "bars.npz")
    agent = agent_file.load(run)
    digits = run_data.load_again(run, agent)
    for split, expected in zip(digits, splits):
        assert all(map(np.array_equal, split, expected))
    assert result_of(run, capsys)["data_sha256"] == mnist.digest(*splits)


def test_an_agent_that_does_not_say_its_data_needs_it(run, tmp_path, capsys):
    """The file of an earlier version, carried away from its run."""
    as_begun_before(run, tmp_path / "bars.npz")
    shutil.copy(run / "best.npz", tmp_path / "moved.npz")
    with pytest.raises(UserError, match="does not say which data .* --data"):
        evaluate.main([str(tmp_path / "moved.npz")])
    data = str(tmp_path / "bars.npz")
    assert evaluate.main([str(tmp_path / "moved.npz"), "--data", data]) == 0
    assert "may be among those" in capsys.readouterr().err


def test_what_a_folder_records_of_its_data(run):
    """Of a folder or a file in it: the path, and the SHA-256 wherever it is."""
    config = json.loads((run / "config.json").read_text())
    sha256 = config["data_sha256"]
    expected = {"path": config["data"], "sha256": sha256}
    for run_or_file in (run, str(run), run / "best.npz", run / "no_file"):
        assert run_data.recorded(run_or_file) == expected
    arrays, meta = checkpoint.load(run / "checkpoint.npz")
    checkpoint.save(run / "checkpoint.npz", arrays, meta | {"data_sha256": "1"})
    assert run_data.recorded(run) == expected  # the configuration comes first
    config["data"] = "Zahlen/äöü.npz"
    text = json.dumps(config | {"data_sha256": None}, ensure_ascii=False)
    (run / "config.json").write_text(text, encoding="utf-8")
    assert run_data.recorded(run) == {"path": "Zahlen/äöü.npz", "sha256": "1"}
    (run / "checkpoint.npz").unlink()
    assert run_data.recorded(run) == {"path": "Zahlen/äöü.npz", "sha256": None}


@pytest.mark.parametrize("text", ["", "[]", '{"data": 3}', '{"epochs": 3}', "{"])
def test_a_damaged_record_is_none(run, text):
    """With any kind of damage."""
    (run / "config.json").write_text(text)
    assert run_data.recorded(run) is None
