"""Error rates: what is counted, and that counts are repeatable."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ramnp.agent import model
from ramnp.datasets import scenes
from ramnp.datasets.mnist import Digits
from ramnp.learning import diagnostics, evaluation
from ramnp.learning.predictor import Agent
from ramnp.proofs.complex_step import nested
from tests import grid
from tests.helpers import small_config, small_split
from tests.reference_trainer import evaluate


@pytest.fixture(scope="module")
def agent():
    """An untrained agent whose policy is wide enough to make rollouts differ."""
    config = small_config(num_classes=10)
    params = model.init(np.random.default_rng(0), config)
    params["location"]["W_mu"] *= 20
    return Agent(params, config, location_std=0.5)


@pytest.fixture(scope="module")
def split():
    """More images than a chunk, but not a whole number of chunks."""
    return small_split(3, scenes.FROZEN_CHUNK + 40, 12, 12)


@pytest.mark.parametrize("name", grid.CONFIGS)
def test_errors_and_result_equal_the_reference(name, float64, pool):
    """On both splits, sampled and deterministic, of one rollout and of three."""
    config = grid.CONFIGS[name]
    params = {n: 2 * p for n, p in grid.reference(config).params.items()}
    agent = Agent(nested(params), config, 0.25)
    errors = {}
    for which, sampled in itertools.product(("valid", "test"), (True, False)):
        split = getattr(grid.digits_of(config), which)
        rollouts = 3 if sampled else 1
        wrong = evaluation.count_errors(
            agent, split, which, pool, rollouts, deterministic=not sampled
        )
        expected = evaluate(
            params, split, which, config, 0.25, rollouts, sampled, grid.CHUNK
        )
        assert wrong.error_after_glimpse == pytest.approx(expected["after_glimpse"])
        assert wrong.error == pytest.approx(expected["after_glimpse"][-1])
        assert wrong.error_of_mean == pytest.approx(expected["of_mean"])
        behaviour = diagnostics.summarize(wrong.behaviour)
        assert behaviour == pytest.approx(expected["behaviour"])
        errors[which, sampled] = expected
    training = {"seconds": 3.5, "images_per_second": 7.0}
    result, _ = evaluation.test(agent, training, grid.digits_of(config), pool, 3)
    sampled, settled = errors["test", True], errors["test", False]
    assert result["test_error"] == pytest.approx(sampled["after_glimpse"][-1])
    assert result["test_error_rollouts"] == pytest.approx(sampled["of_mean"])
    deterministic = pytest.approx(settled["after_glimpse"][-1])
    assert result["test_error_deterministic"] == deterministic
    wrong = round(sampled["after_glimpse"][-1] * 7 / 100)
    assert result["interval_95"] == evaluation.interval_95(wrong, 7)
    assert result["num_test"] == 7 and result["rollouts"] == 3
    assert result["seed"] == config.seed and result["epochs"] == config.epochs
    assert result["num_parameters"] == sum(p.size for p in params.values())
    assert result["seconds"] == 3.5 and result["images_per_second"] == 7.0
    assert result["data_sha256"] == grid.digits_of(config).sha256
    assert result["class_errors"] == pytest.approx(sampled["class_errors"])


def test_the_same_agent_gives_the_same_count(agent, split, pool):
    """Twice, and with another number of threads."""
    first = evaluation.count_errors(agent, split, "test", pool, 3)
    again = evaluation.count_errors(agent, split, "test", pool, 3)
    with ThreadPoolExecutor(1) as one:
        alone = evaluation.count_errors(agent, split, "test", one, 3)
    for other in (again, alone):
        assert np.array_equal(first.after_each_glimpse, other.after_each_glimpse)
        assert first[1:3] == other[1:3]
        for one, same in zip(first.behaviour, other.behaviour):
            assert np.array_equal(one, same)
    assert first.num_scenes == len(split.labels)


def test_the_headline_error_is_that_of_one_rollout(agent, split, pool):
    """More rollouts change only the averaged error."""
    one = evaluation.count_errors(agent, split, "test", pool, 1)
    ten = evaluation.count_errors(agent, split, "test", pool, 10)
    assert one.error == ten.error
    assert one.mean_of_rollouts == one.num_wrong
    assert ten.mean_of_rollouts != one.mean_of_rollouts


def test_a_deterministic_evaluation_draws_no_noise(agent, split, pool):
    """It does not depend on the width of the policy, and it repeats exactly."""
    wide, narrow = agent, agent._replace(location_std=1e-9)
    first, again = (
        evaluation.count_errors(a, split, "test", pool, deterministic=True)
        for a in (wide, narrow)
    )
    assert np.array_equal(first.after_each_glimpse, again.after_each_glimpse)
    sampled = evaluation.count_errors(wide, split, "test", pool)
    assert not np.array_equal(sampled.after_each_glimpse, first.after_each_glimpse)


def test_the_behaviour_is_that_of_the_first_rollout(agent, split, pool):
    """Every choice of every scene counts once, with any number of rollouts."""
    one = evaluation.count_errors(agent, split, "valid", pool, 1).behaviour
    ten = evaluation.count_errors(agent, split, "valid", pool, 10).behaviour
    choices = len(split.labels) * (agent.config.num_glimpses - 1)
    assert one.visits.sum() == ten.visits.sum() == choices
    assert np.array_equal(one.locations, ten.locations)


def test_some_chunks_are_also_looked_at_deterministically(agent, split, pool):
    """Their errors are compared on the same scenes, and nothing else changes."""
    plain = evaluation.count_errors(agent, split, "valid", pool)
    settled = evaluation.count_errors(agent, split, "valid", pool, deterministic=True)
    assert plain.deterministic_minus_sampled == 0 and sum(plain.compared) == 0
    for every, n in ((1, len(split.labels)), (2, scenes.FROZEN_CHUNK)):
        both = evaluation.count_errors(agent, split, "valid", pool, compare_every=every)
        sampled, deterministic = (
            (counts.classes[:n] != split.labels[:n]).sum()
            for counts in (plain, settled)
        )
        assert tuple(both.compared) == (n, sampled, deterministic)
        assert both.deterministic_minus_sampled == pytest.approx(
            100 * (deterministic - sampled) / n
        )
        assert np.array_equal(both.after_each_glimpse, plain.after_each_glimpse)
        assert both.mean_of_rollouts == plain.mean_of_rollouts
    assert sampled != deterministic


def test_validation_and_test_have_their_own_seeds(agent, split, pool):
    """For the scenes and for the policy."""
    config = small_config(num_classes=10, canvas_size=20)
    valid, test = (
        scenes.frozen_chunk(split, name, 0, config)[0] for name in ("valid", "test")
    )
    assert not np.array_equal(valid, test)


def test_it_can_be_stopped_between_chunks(agent, split, pool):
    """An exception of between_chunks is passed on."""

    def give_up():
        raise TimeoutError

    with pytest.raises(TimeoutError):
        evaluation.count_errors(agent, split, "test", pool, between_chunks=give_up)


@pytest.mark.parametrize(
    ("wrong", "total", "low", "high"),
    [  # Clopper and Pearson (1934): what their definition gives in closed form
        (0, 100, 0.0, 100 * (1 - 0.025 ** (1 / 100))),
        (100, 100, 100 * 0.025 ** (1 / 100), 100.0),
    ],
)
def test_the_interval_at_its_ends(wrong, total, low, high):
    """No errors, or only errors."""
    assert evaluation.interval_95(wrong, total) == pytest.approx([low, high])


def test_the_interval_holds_the_error_and_has_the_right_tails():
    """At its ends, at most or at least that many errors have a probability of 2.5 %."""
    from scipy.stats import binom

    low, high = evaluation.interval_95(67, 10_000)
    assert low < 0.67 < high
    assert binom.sf(66, 10_000, low / 100) == pytest.approx(0.025)
    assert binom.cdf(67, 10_000, high / 100) == pytest.approx(0.025)


def test_the_result_has_the_promised_keys(agent, split, pool):
    """The keys of result.json in their order, with errors in percent."""
    digits = Digits(split, split, split, "ab")
    training = {"seconds": 3.5, "images_per_second": 7.0}
    result, _ = evaluation.test(agent, training, digits, pool, 2)
    assert list(result) == [
        "task",
        "recipe",
        "seed",
        "epochs",
        "num_parameters",
        "test_error",
        "test_error_rollouts",
        "rollouts",
        "test_error_deterministic",
        "interval_95",
        "num_test",
        "seconds",
        "images_per_second",
        "data_sha256",
        "class_errors",
    ]
    low, high = result["interval_95"]
    assert 0 <= low <= result["test_error"] <= high <= 100


def test_the_summary_of_a_result():
    """Three errors in four lines, and the three classes with the highest, if any."""
    result = {
        "task": "cluttered",
        "num_test": 1234,
        "test_error": 4.567,
        "interval_95": [3.5, 5.849],
        "test_error_rollouts": 3.2,
        "rollouts": 10,
        "test_error_deterministic": 4.125,
    }
    lines = [
        "cluttered, 1,234 test scenes, error:",
        "  4.57 %  one rollout per image (95 % interval 3.50 to 5.85)",
        "  3.20 %  10 rollouts averaged",
        "  4.12 %  deterministic: each glimpse at the policy's mean",
    ]
    assert evaluation.summary(result).splitlines() == lines
    errors = {"c": 1.0, "a": 0.0, "e": 2.0, "b": 7.255, "d": 3.0}
    for number, worst in (
        (5, ["  worst classes: b 7.25 %, d 3.00 %, e 2.00 %"]),
        (2, ["  worst classes: c 1.00 %"]),
    ):
        result["class_errors"] = dict([*errors.items()][:number])
        assert evaluation.summary(result).splitlines() == lines + worst
    result["class_errors"] = {"a": 0.0}
    assert evaluation.summary(result).splitlines() == lines


def test_frozen_scenes_are_those_of_every_epoch(agent, split, pool, monkeypatch):
    """Whatever was evaluated between, an evaluation looks at the same scenes."""
    looked_at = []
    rollout = model.rollout

    def remember(params, images, *rest):
        looked_at.append(images.tobytes())
        return rollout(params, images, *rest)

    monkeypatch.setattr(model, "rollout", remember)
    with ThreadPoolExecutor(1) as one:
        for name in ("valid", "test", "valid"):
            evaluation.count_errors(agent, split, name, one)
    count = len(looked_at) // 3
    assert looked_at[:count] == looked_at[-count:]
