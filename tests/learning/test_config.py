"""Every setting has bounds; for a value beyond them, one line names the option."""

import dataclasses
import math

import pytest

from ramnp.learning.config import Config, field_named, old_bound, option_name
from ramnp.support.errors import UserError

FIELDS = {spec.name: spec for spec in dataclasses.fields(Config)}
# A field whose end of range needs a company to be allowed at all.
COMPANY = {
    "batch_size": {"num_shards": 1},
    "num_shards": {"batch_size": 100},
    "num_scales": {"scale_factor": 1},
    "scale_factor": {"num_scales": 2},
}


def refused(**settings):
    """Return the one line with which these settings are refused."""
    with pytest.raises(UserError) as error:
        Config(**settings)
    (line,) = str(error.value).splitlines()
    return line


def with_bound(key):
    """Return the fields that have this bound, with its value."""
    found = [(name, spec.metadata[key]) for name, spec in FIELDS.items()]
    return [(name, bound) for name, bound in found if bound is not None]


def step(name):
    """Return a step that leaves the range of a field."""
    return 1 if FIELDS[name].type is int else 1e-9


@pytest.mark.parametrize(
    ("name", "bound", "direction"),
    [
        *((name, low, -1) for name, low in with_bound("low")),
        *((name, high, 1) for name, high in with_bound("high")),
    ],
)
def test_bounds(name, bound, direction):
    """The bound itself is allowed, a value beyond it is not."""
    assert getattr(Config(**{name: bound} | COMPANY.get(name, {})), name) == bound
    value = bound + direction * step(name)
    words = "at least" if direction < 0 else "at most"
    assert refused(**{name: value}) == (
        f"{option_name(name)} {value}: must be {words} {bound}"
    )


def test_what_takes_memory_is_bounded_and_a_fraction_is_at_most_1():
    """A mistyped count is refused before it is allocated."""
    free = {"seed", "channels", "epochs", "num_shards", "filter_stride"}
    for name, field in FIELDS.items():
        if field.type is int and name not in free:
            assert 16 <= field.metadata["high"] <= 2**20, name
    for name in ("plain_share", "background", "discount", "final_rate"):
        assert (FIELDS[name].metadata["low"], FIELDS[name].metadata["high"]) == (0, 1)


@pytest.mark.parametrize("name, above", with_bound("above"))
def test_exclusive_bounds(name, above):
    """σ and the learning rate may be arbitrarily small, but not 0."""
    assert getattr(Config(**{name: 1e-300}), name) == 1e-300
    for value in (above, -1.0):
        line = refused(**{name: value})
        assert line == f"{option_name(name)} {value}: must be more than {above}"


@pytest.mark.parametrize("name, choices", with_bound("choices"))
def test_choices(name, choices):
    """Each choice is allowed; for any other value, the error names them all."""
    for choice in choices:
        Config(**{name: choice, "num_rollouts": 2})
    words = ("", "nonsense", str(next(iter(choices))).upper())
    for wrong in words if FIELDS[name].type is str else (0, 2, 4):
        known = ", ".join(map(str, choices))
        line = refused(**{name: wrong})
        assert line == f"{option_name(name)} {wrong}: choose one of {known}"


@pytest.mark.parametrize("name", FIELDS)
def test_wrong_types(name):
    """A value of another type is refused."""
    wrong = {
        int: [1.0, True, "1", None, [1]],
        float: ["0.5", True, None, [0.5], math.nan, math.inf, -math.inf, 10**400],
        bool: [0, 1, "true", None],
        str: [0, None, True, ["quick"]],
    }[FIELDS[name].type]
    for value in wrong:
        assert refused(**{name: value}).startswith(option_name(name) + " ")


def test_an_integer_is_accepted_for_a_float():
    """On the command line and in a file."""
    assert Config(policy_weight=2, momentum=0).policy_weight == 2


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_has_a_help_text(name):
    """And an allowed default, and bounds if it is a number."""
    spec = FIELDS[name]
    assert type(spec.default) is spec.type
    assert spec.metadata["help"]
    kind = {
        int: ["low", "choices"],
        float: ["low", "above"],
        str: ["choices"],
        bool: [],
    }
    given = [key for key in kind[spec.type] if spec.metadata[key] is not None]
    assert len(given) == bool(kind[spec.type])


def test_defaults_are_the_papers_agent():
    """Its sizes, reward, baseline, gradient paths and optimiser."""
    config = Config()
    sizes = config.hg_size, config.hl_size, config.g_size, config.h_size
    assert sizes == (128, 128, 256, 256)
    assert (config.reward, config.baseline, config.discount) == ("final", "learned", 1)
    assert config.first_glimpse == "random" and config.background == 0
    assert config.locator_hidden_size == 0 and config.locator_bound == "none"
    assert not config.policy_into_core and not config.baseline_into_core
    assert not config.classify_every_step and not config.identity_recurrence
    assert (config.optimizer, config.momentum, config.batch_size) == ("sgd", 0.9, 20)
    assert (config.schedule, config.final_rate, config.clip_norm) == ("linear", 0, 0)


def test_more_shards_than_images():
    """Each shard needs an image of the batch."""
    said = refused(batch_size=3, num_shards=4)
    assert said.startswith("--num-shards 4 ")
    assert said.endswith(" images of a batch: lower it, or raise --batch-size")
    Config(batch_size=3, num_shards=3)


def test_leave_one_out_needs_another_rollout():
    """One rollout has no other to compare with."""
    assert refused(baseline="leave-one-out") == (
        "--baseline leave-one-out compares the rollouts of an image: set "
        "--training-rollouts to 2 or more"
    )
    Config(baseline="leave-one-out", num_rollouts=2)


def test_weight_decay_flips_no_sign():
    """A step subtracts the fraction rate × decay of a weight, which is at most 1."""
    assert refused(weight_decay=150.0, learning_rate=0.01) == (
        "--weight-decay 150.0 times --learning-rate 0.01 is more than 1, which would "
        "flip the sign of weights: lower one of them"
    )
    Config(weight_decay=100.0, learning_rate=0.01)


def test_patches_wider_than_memory():
    """The cells of the widest patch, by which images are padded, are bounded."""
    assert refused(num_scales=10).startswith("--num-scales 10 with --scale-factor 2 ")
    assert "--scale-factor 16" in refused(num_scales=4, scale_factor=16)
    Config(num_scales=9)
    Config(num_scales=16, scale_factor=1)


def test_filters_larger_than_the_image():
    """Only for conv; the image is the canvas or of the configured size."""
    assert refused(model="conv", filter_size=29).startswith("--filter-size 29 ")
    assert "12 x 9 pixels: make it 9 or less" in refused(
        model="conv", image_height=12, image_width=9
    )
    assert "8 or less" in refused(model="conv", canvas_size=8)
    assert Config(model="conv", filter_size=28).scene_shape == (28, 28)
    assert Config(model="conv", filter_size=40, canvas_size=40).scene_shape == (40, 40)
    Config(model="fc", filter_size=29)
    Config(filter_size=29)


def test_filters_larger_than_the_grid_below():
    """60 pixels have 29, 14, 6, 2 and no places of 3 x 3, two pixels apart."""
    layers = {"model": "conv", "canvas_size": 60, "filter_size": 3, "filter_stride": 2}
    Config(**layers, num_filter_layers=4)
    message = refused(**layers, num_filter_layers=7)
    assert message == (
        "--filter-size 3 is too large for the 2 x 2 places of layer 4: make it 2 or "
        "less, or lower --num-filter-layers"
    )
    assert refused(num_filter_layers=0) and refused(num_filter_layers=17)
    Config(**layers | {"model": "ram"}, num_filter_layers=7)


def test_a_bounded_mean_by_its_former_name():
    """Scripts and files of before say locator_tanh."""
    for tanh, bound in ((True, "tanh"), (False, "none")):
        config = Config(locator_bound="hard-tanh", locator_tanh=tanh)
        assert config == Config(locator_bound=bound)
        assert dataclasses.replace(config, seed=1) == Config(
            locator_bound=bound, seed=1
        )
    for wrong in (1, "True ", [1]):
        assert refused(locator_tanh=wrong).startswith("--locator-bound ")


def test_the_shape_of_a_scene():
    """Height, width and, in colour, channels; a canvas is a square."""
    size = {"image_height": 20, "image_width": 30}
    assert Config(**size).scene_shape == Config(**size).input_shape == (20, 30)
    assert Config(**size, channels=3).input_shape == (20, 30, 3)
    assert Config(**size, channels=3, canvas_size=60).input_shape == (60, 60, 3)


def test_settings_cannot_be_changed():
    """The record is frozen."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().seed = 1


def test_option_names():
    """The field's words with dashes."""
    assert option_name("final_location_std") == "--final-location-std"
    assert option_name("num_rollouts") == "--training-rollouts"


def test_a_setting_is_found_by_its_name_or_its_options():
    """With or without dashes; a misspelt one is told the nearest."""
    for name, field in FIELDS.items():
        for spelled in (name, option_name(name), option_name(name)[2:]):
            assert field_named(spelled) is field
    with pytest.raises(UserError) as error:
        field_named("--batch-sise")
    told = "there is no setting batch_sise; did you mean batch_size?"
    assert str(error.value) == told
    with pytest.raises(UserError, match="^there is no setting zzz$"):
        field_named("zzz")


def test_another_bound_stays_as_it_is():
    """Only the two values of locator_tanh are translated."""
    assert [old_bound(v) for v in (True, "False", 3)] == ["tanh", "none", 3]
