"""An agent's file: saved, found, loaded or refused."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ramnp
from ramnp.comparison import whole_image
from ramnp.learning.predictor import Agent
from ramnp.learning.recipes import TASKS, make_config
from ramnp.runs import agent_file
from ramnp.support import checkpoint
from ramnp.support.errors import CheckpointError, UserError
from tests.fuzzing import spoil
from tests.helpers import small_config

ROW = dict.fromkeys(agent_file.METRICS, 0.5) | {"epoch": 3}


def test_an_agent_is_loaded_as_it_was_saved(agent, images, tmp_path):
    """ramnp.load returns the same agent from the run folder and from the file.

    In the file, weights are rounded to two bytes.
    """
    for arrays in agent.params.values():
        for array in arrays.values():
            array[...] = array.astype(np.float16)
    agent_file.save(tmp_path / "best.npz", agent, ROW)
    for where in (tmp_path, str(tmp_path), tmp_path / "best.npz"):
        loaded = ramnp.load(where)
        assert loaded.config == agent.config and loaded.location_std == 0.1
        seen, expected = loaded.predict(images), agent.predict(images)
        assert np.array_equal(seen.probabilities, expected.probabilities)
    assert agent_file.load_with_training(tmp_path)[1] == ROW


def test_the_description_of_the_data_is_kept(agent, tmp_path):
    """As many classes as the agent has, or fewer; without a description, none."""
    names = list("abcde")
    for count in (0, 4, 5):
        about = {
            "path": None,
            "sha256": "0f",
            "class_names": names[:count],
            "brightness": 0.25,
        }
        agent_file.save(tmp_path / "best.npz", agent._replace(data=about), ROW)
        assert ramnp.load(tmp_path).data == about
    agent_file.save(tmp_path / "best.npz", agent, ROW)
    assert ramnp.load(tmp_path).data is None
    assert "data" not in checkpoint.load(tmp_path / "best.npz")[1]


def test_weights_beyond_the_range_of_two_bytes_are_kept(agent, tmp_path):
    """65,504 is the largest; if any weight exceeds it, all take four bytes."""
    agent.params["action"]["b_a"][0] = 65_504
    for largest, kept in ((0, np.float16), (65_520, np.float32)):
        agent.params["action"]["b_a"][1] = largest
        agent_file.save(tmp_path / "best.npz", agent, ROW)
        arrays, _ = checkpoint.load(tmp_path / "best.npz")
        assert arrays["parameters"].dtype == kept
        params = ramnp.load(tmp_path).params
        assert params["action"]["b_a"][1] == largest
        for network, name in (("core", "W_h"), ("glimpse", "b_g")):
            expected = agent.params[network][name].astype(kept)
            assert np.array_equal(params[network][name], expected)


def test_the_name_of_a_task_means_its_trained_agent(agent, tmp_path, monkeypatch):
    """Unless there is a file or a run of that name."""
    monkeypatch.setattr(agent_file, "TRAINED", str(tmp_path / "trained"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trained").mkdir()
    agent_file.save(tmp_path / "trained" / "cluttered.npz", agent, ROW)
    assert ramnp.load("cluttered").location_std == 0.1
    for missing in ("translated", "own", "./cluttered", "trained/cluttered"):
        with pytest.raises(CheckpointError, match=f"^{missing} .*: train first"):
            ramnp.load(missing)
    (tmp_path / "cluttered").mkdir()
    (tmp_path / "cluttered" / "a.jpg").touch()
    for folder_without_a_run in ("cluttered", Path("cluttered")):
        assert ramnp.load(folder_without_a_run).location_std == 0.1
    agent_file.save(
        tmp_path / "cluttered" / "best.npz", agent._replace(location_std=0.2), ROW
    )
    assert ramnp.load("cluttered").location_std == 0.2


@pytest.mark.parametrize(
    "task", [task for task in TASKS if Path(agent_file.TRAINED, f"{task}.npz").exists()]
)
def test_the_shipped_agents_load(task):
    """Small, trained with the present recipe `best`, each beside its test result."""
    path = Path(agent_file.find(task))
    assert path.stat().st_size <= 1_500_000
    agent = ramnp.load(task)
    assert agent.config == make_config(task, "best", seed=agent.config.seed)
    result = json.loads(path.with_suffix(".json").read_text())
    assert result["num_parameters"] == agent.num_parameters
    assert result["num_test"] == 10_000
    for name in ("task", "recipe", "seed", "epochs"):
        assert result[name] == getattr(agent.config, name)
    assert agent.data["sha256"] == result["data_sha256"] and agent.data["path"] is None
    seen = agent.predict(np.zeros((1, *agent.config.scene_shape), np.uint8))
    assert seen.locations.shape == (1, agent.config.num_glimpses, 2)


def test_a_comparison_network_for_images_of_another_size_is_refused(rng, tmp_path):
    """The image size is part of the configuration, which the parameters must fit."""
    config = small_config(model="fc", image_height=11, image_width=13, fc_size=6)
    path = tmp_path / "best.npz"
    agent_file.save(path, Agent(whole_image.init(rng, config), config, 0.1), ROW)
    assert ramnp.load(path).config == config
    arrays, meta = checkpoint.load(path)
    for changes in ({"image_width": 14}, {"image_height": 2**14}, {"model": "conv"}):
        changed = {"config": meta["config"] | changes}
        checkpoint.save(path, arrays, meta | changed)
        with pytest.raises(CheckpointError, match="do not fit its own config"):
            ramnp.load(path)


def test_other_files_are_refused_in_one_line(agent, tmp_path):
    """Missing, foreign, or not fitting its own configuration."""
    path = tmp_path / "best.npz"
    agent_file.save(path, agent, ROW)
    arrays, meta = checkpoint.load(path)
    short = {"parameters": arrays["parameters"][1:]}
    double = {"parameters": arrays["parameters"].astype(np.float64)}
    config = meta["config"]
    for bad_arrays, bad_meta in (
        (short, meta),
        (double, meta),
        ({}, meta),
        (arrays, {}),
        (arrays, meta | {"location_std": 0.0}),
        (arrays, meta | {"location_std": "wide"}),
        (arrays, meta | {"location_std": 10**400}),
        (arrays, meta | {"training": 3}),
        (arrays, meta | {"training": {"epoch": 3}}),
        (arrays, meta | {"training": ROW | {"more": 3}}),
        (arrays, meta | {"training": ROW | {"seconds": "long"}}),
        (arrays, meta | {"config": config | {"a\nb" * 10**5: 1}}),
        (arrays, meta | {"config": config | {"task": "a\nb" * 10**5}}),
        (arrays, meta | {"config": config | {"h_size": 10**4000}}),
        (arrays, meta | {"config": [["h_size", 9]]}),
        (arrays, meta | {"config": config | {"h_size": -1}}),
        (arrays, meta | {"config": config | {"colour": "red"}}),
        (arrays, meta | {"config": config | {"h_size": 10**9}}),
    ):
        checkpoint.save(path, bad_arrays, bad_meta)
        with pytest.raises(CheckpointError, match=r"best\.npz") as error:
            ramnp.load(path)
        message = str(error.value)
        assert "\n" not in message and len(message) < 300 + len(str(path))
    with pytest.raises(CheckpointError, match="nowhere"):
        ramnp.load(tmp_path / "nowhere")


DATA = {"path": "a", "sha256": "0", "class_names": ["a"], "brightness": 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"location_std": 1e300}, "its location_std is not a standard deviation"),
        ({"training": ROW | {"step": -1e300}}, "its training is not a row of metrics"),
        ({"training": ROW | {"step": 10**400}}, "its training is not a row of metrics"),
        ({"training": ROW | {"step": "1"}}, "its training is not a row of metrics"),
        ({"data": 3}, "its data is not a description of data"),
        ({"data": DATA | {"more": 1}}, "its data is not a description of data"),
        ({"data": DATA | {"path": 1}}, "its data is not a description of data"),
        (
            {"data": DATA | {"class_names": list("abcdef")}},
            "its data is not a description of data",
        ),
        (
            {"data": DATA | {"class_names": ["a", 1]}},
            "its data is not a description of data",
        ),
        ({"config": {"h_size": -1}}, "--h-size -1: must be at least 1"),
    ],
)
def test_it_is_said_why_a_file_holds_no_agent(changes, reason, agent, tmp_path):
    """In one line that begins with the file and ends with what to do."""
    path = tmp_path / "best.npz"
    agent_file.save(path, agent, ROW)
    arrays, meta = checkpoint.load(path)
    checkpoint.save(path, arrays, meta | {"data": DATA})
    assert ramnp.load(path).data == DATA
    checkpoint.save(path, arrays, meta | changes)
    with pytest.raises(CheckpointError) as error:
        ramnp.load(path)
    message = str(error.value)
    assert message == f"{path} does not hold an agent: {reason}; use another file"


@pytest.mark.parametrize(
    "examples", [200, pytest.param(100_000, marks=pytest.mark.slow)]
)
def test_fuzzed_agents(agent, images, tmp_path, examples):
    """At most one kind of error, and an accepted agent can predict."""
    path = tmp_path / "best.npz"
    agent_file.save(path, agent, ROW)
    sound = checkpoint.load(path)

    @settings(max_examples=examples, deadline=None, database=None)
    @given(st.binary(max_size=60))
    def check(script):
        path.write_bytes(checkpoint._encode(*spoil(script, *sound)))
        try:
            loaded, training = agent_file.load_with_training(path)
        except CheckpointError as error:
            message = str(error)
            assert message.isprintable() and len(message) < 300 + len(str(path))
            return
        assert json.dumps(training)
        if loaded.config.num_glimpses < 100:
            with contextlib.suppress(UserError), np.errstate(all="ignore"):
                loaded.predict(images[:1])

    check()
