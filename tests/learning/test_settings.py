"""Every setting and every random stream acts on what it should, and on nothing else."""

import copy
import dataclasses
import functools
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ramnp.agent import core_network, glimpse_sensor, model, parameters
from ramnp.comparison import whole_image
from ramnp.learning import evaluation
from ramnp.learning.choices import CHOICES
from ramnp.learning.config import Config
from ramnp.learning.gradient import batch_gradient
from ramnp.learning.state import STREAMS, initial
from ramnp.learning.trainer import Trainer
from tests.grid import CONFIGS, digits_of

BASE = dataclasses.replace(CONFIGS["the paper"], num_rollouts=2, deformation=0.7)
FC, CONV = {"model": "fc"}, {"model": "conv"}
# What a setting acts on first takes along all that follows from it.
TEST = {"test rollouts"}
JUDGED = TEST | {"validation rollouts", "validated agent"}
LATER = JUDGED | {"last parameters"}
STEP = LATER | {"first step"}
GRADIENT = STEP | {"first gradient"}
LOCATIONS = GRADIENT | {"later locations"}
FIRST_LOCATION = LOCATIONS | {"first location"}
WEIGHTS = LOCATIONS | {"initial weights"}
SCENES = LOCATIONS | {"first scenes", "last scenes"}
ALL_SCENES = SCENES | {"validation scenes"}
# {field: (another value, what it acts on, the settings that it takes to matter)}
TABLE = {
    "task": ("translated", set()),
    "recipe": ("best", set()),
    "model": ("fc", (WEIGHTS | FIRST_LOCATION)),
    "seed": (1, (WEIGHTS | SCENES | FIRST_LOCATION | {"order"})),
    "epochs": (3, LATER | {"last scenes"}),
    "canvas_size": (8, ALL_SCENES),
    "num_clutter": (1, ALL_SCENES),
    "clutter_size": (3, ALL_SCENES, {"num_clutter": 1}),
    "max_shift": (1, SCENES),
    "deformation": (0.9, SCENES),
    "plain_share": (0.5, LATER | {"last scenes"}),
    "num_classes": (4, WEIGHTS - {"later locations"}),
    "sensor": ("doubled", LOCATIONS),
    "patch_size": (2, WEIGHTS),
    "num_scales": (2, WEIGHTS),
    "scale_factor": (3, LOCATIONS, {"num_scales": 2}),
    "background": (0.5, LOCATIONS),
    "num_glimpses": (4, LOCATIONS),
    "policy": ("random", LOCATIONS),
    "first_glimpse": ("center", FIRST_LOCATION),
    "core": ("doubled", LOCATIONS),
    "hg_size": (5, WEIGHTS),
    "hl_size": (5, WEIGHTS),
    "g_size": (5, WEIGHTS),
    "h_size": (5, WEIGHTS),
    "identity_recurrence": (True, WEIGHTS),
    "locator_hidden_size": (3, WEIGHTS),
    "locator_bound": ("tanh", LOCATIONS),
    "location_std": (0.2, LOCATIONS),
    "final_location_std": (0.1, LATER),
    "evaluation_location_std": (0.1, JUDGED),
    "policy_into_core": (True, GRADIENT),
    "baseline_into_core": (True, GRADIENT),
    "classify_every_step": (True, GRADIENT),
    "image_height": (5, set()),  # of the data: whole images alone need to know
    "image_width": (6, set()),
    "channels": (3, WEIGHTS | ALL_SCENES),  # and so are the images
    "resize": (True, set()),  # when the data are read
    "invert": (True, set()),
    "fc_size": (5, WEIGHTS - {"later locations"}, FC),
    "num_filter_layers": (2, WEIGHTS - {"later locations"}, CONV | {"filter_size": 2}),
    "num_filters": (3, WEIGHTS - {"later locations"}, CONV),
    "filter_size": (2, WEIGHTS - {"later locations"}, CONV),
    "filter_stride": (1, WEIGHTS - {"later locations"}, CONV),
    "reward": ("gain", GRADIENT),
    "discount": (0.5, GRADIENT, {"reward": "gain"}),
    "baseline": ("none", GRADIENT),
    "num_rollouts": (3, LOCATIONS | {"first location"}),
    "policy_weight": (0.5, GRADIENT),
    "baseline_weight": (0.5, GRADIENT),
    "optimizer": ("adam", STEP),
    "learning_rate": (0.02, STEP),
    "momentum": (0.5, LATER),
    "schedule": ("cosine", LATER),
    "final_rate": (0.5, LATER),
    "weight_decay": (0.5, STEP),
    "clip_norm": (0.1, STEP),
    "average_decay": (0.5, JUDGED),
    "batch_size": (2, SCENES | {"first location"}),
    "num_shards": (2, (SCENES | {"first location"}) - {"first gradient"}),
    "rollouts": (3, TEST),
}


def changed(module, name):
    """Return a module in which a function's last argument is doubled."""
    function = getattr(module, name)

    def doubled(*arguments):
        return function(*arguments[:-1], 2 * arguments[-1])

    return types.SimpleNamespace(**(vars(module) | {name: doubled}))


@pytest.fixture(autouse=True)
def more_choices(monkeypatch):
    """A second core and a second sensor to choose."""
    for setting, module in (("core", core_network), ("sensor", glimpse_sensor)):
        other = changed(module, "forward")
        monkeypatch.setitem(CHOICES[setting], "doubled", other)


def observe(config, change_streams=lambda streams: None):
    """Run a training and an evaluation; return what can differ, by name."""
    calls = []

    def spy(rollout, params, images, *rest):
        trajectory = rollout(params, images, *rest)
        calls.append((images, trajectory.locations, trajectory.logits))
        return trajectory

    digits = digits_of(config)
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as pool:
        for module in (model, whole_image):
            patch.setattr(module, "rollout", functools.partial(spy, module.rollout))
        state = initial(config, len(digits.train.labels))
        seen = {"initial weights": state.vector.copy(), "order": state.order}
        change_streams(state.streams)
        trainer = Trainer(config, digits.train, state)
        grads, _ = batch_gradient(
            trainer.params,
            digits.train,
            state.order[: config.batch_size],
            {name: copy.deepcopy(rngs[0]) for name, rngs in state.streams.items()},
            config,
            trainer.location_std,
            trainer.augmented,
        )
        seen["first gradient"] = parameters.flatten(grads)[0]
        for _ in range(config.epochs):
            calls.clear()
            for _ in range(trainer.steps_per_epoch):
                trainer.step()
                if state.step == 1:
                    seen["first step"] = state.vector.copy()
                    seen["first scenes"], locations, _ = calls[0]
                    seen["first location"] = locations[:1]
                    seen["later locations"] = locations[1:]
            seen["last scenes"] = calls[0][0]
            calls.clear()
            wrong = evaluation.count_errors(trainer.agent, digits.valid, "valid", pool)
            seen["validation scenes"], *seen["validation rollouts"] = calls[0]
            trainer.end_epoch(wrong)
        seen["last parameters"] = state.vector.copy()
        agent = trainer.agent
        seen["validated agent"] = (
            parameters.flatten(agent.params)[0],
            agent.location_std,
        )
        calls.clear()
        row = dict.fromkeys(("seconds", "images_per_second"), 0)
        evaluation.test(agent, row, digits, pool, config.rollouts)
        seen["test rollouts"] = [call[1:] for call in calls]
    return seen


def differing(one, other):
    """Return the names of the observations that differ."""
    assert one.keys() == other.keys()
    return {name for name in one if not same(one[name], other[name])}


def same(one, other):
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return np.array_equal(one, other)


@functools.cache
def observed(**changes):
    return observe(dataclasses.replace(BASE, **changes))


def test_the_table_holds_every_setting():
    """A new setting cannot come without its row."""
    assert TABLE.keys() == {field.name for field in dataclasses.fields(Config)}


@pytest.mark.parametrize("name", TABLE)
def test_a_setting_acts_on_what_the_table_says(name):
    """Changing it changes that, and nothing that comes before or beside it."""
    value, acts_on, *company = TABLE[name]
    settings = dict(*company)
    before = observed(**settings)
    after = observe(dataclasses.replace(BASE, **settings | {name: value}))
    assert differing(before, after) == acts_on


@pytest.mark.parametrize(
    ("stream", "acts_on"),
    [
        ("initialisation", set()),  # drawn from before the first step alone
        ("shuffling", LATER | {"last scenes"}),
        ("scenes", SCENES),
        ("policy", FIRST_LOCATION),
    ],
)
def test_a_stream_acts_on_what_it_is_named_for(stream, acts_on):
    """Each has its own generator: drawing from one moves no other."""

    def draw(streams):
        streams[stream][0].random()

    assert differing(observed(), observe(BASE, draw)) == acts_on


def test_every_stream_and_shard_has_its_own_seed():
    """No two generators of a run, or of runs with other seeds, start alike."""
    firsts = [
        rng.random()
        for seed in (0, 1)
        for name in STREAMS
        for rng in initial(
            dataclasses.replace(BASE, seed=seed, num_shards=3), 5
        ).streams[name]
    ]
    assert len(set(firsts)) == len(firsts) == 2 * len(STREAMS) * 3
