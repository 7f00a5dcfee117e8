"""The loop: same bits after any stop, whatever the threads, and honest sums."""

import copy
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ramnp.agent import model
from ramnp.datasets import scenes
from ramnp.datasets.mnist import Digits
from ramnp.learning import diagnostics, reinforce
from ramnp.learning import trainer as training
from ramnp.runs import agent_file, state
from ramnp.support import checkpoint, signals
from ramnp.support.errors import DivergenceError
from tests.helpers import relative_error, small_config, small_split, wrong_of

CLOCKS = {"seconds", "images_per_second"}


def tiny_config(**changes):
    settings = {
        "num_classes": 10,
        "epochs": 3,
        "batch_size": 24,
        "optimizer": "adam",
        "learning_rate": 0.01,
        "average_decay": 0.9,
        "policy_into_core": True,
        "final_location_std": 0.1,
    }
    return small_config(**(settings | changes))


@pytest.fixture(scope="module")
def digits():
    """90 bars to train on: 4 batches of 24, the last one of 18."""
    splits = (small_split(seed, n, 12, 12) for seed, n in enumerate((90, 30, 30)))
    return Digits(*splits, sha256="0" * 64)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as threads:
        yield threads


def train(config, digits, folder, threads=1, save_every=0):
    """Train, or go on where the folder's checkpoint is; return the final state."""
    folder.mkdir(exist_ok=True)
    path = folder / "checkpoint.npz"
    now = state.initial(config, 90)
    if path.exists():
        now, _ = state.load(path, config, 90, digits.sha256)
    training.train(config, digits, str(folder), now, threads, save_every)
    return now


def without_clocks(history):
    return [{k: v for k, v in row.items() if k not in CLOCKS} for row in history]


def assert_same_bits(one, other):
    assert one.vector.tobytes() == other.vector.tobytes()
    assert one.average.tobytes() == other.average.tobytes()
    assert without_clocks(one.history) == without_clocks(other.history)
    assert one.best_error == other.best_error


def signal_in_step(monkeypatch, number, steps):
    """Send a signal to this process in the middle of each of these calls of step."""
    calls = iter(range(1000))
    step = training.Trainer.step

    def step_with_signal(self):
        if next(calls) in steps:
            os.kill(os.getpid(), number)
        step(self)

    monkeypatch.setattr(training.Trainer, "step", step_with_signal)


@pytest.fixture(scope="module")
def uninterrupted(digits, tmp_path_factory):
    return train(tiny_config(), digits, tmp_path_factory.mktemp("runs") / "whole")


@pytest.mark.parametrize("stop", range(12))
def test_stopped_after_any_step_it_resumes_to_the_same_bits(
    stop, digits, tmp_path, monkeypatch, uninterrupted
):
    """Stop anywhere, resume: the same bits, in the middle of an epoch or at its end."""
    with monkeypatch.context() as patch:
        signal_in_step(patch, signal.SIGINT, {stop})
        with pytest.raises(signals.Interrupted) as interrupted:
            train(tiny_config(), digits, tmp_path)
    assert interrupted.value.exit_code == 130
    saved, _ = state.load(tmp_path / "checkpoint.npz", tiny_config(), 90, "0" * 64)
    assert saved.step == stop + 1
    assert_same_bits(train(tiny_config(), digits, tmp_path), uninterrupted)


def test_muon_resumes_to_the_same_bits_with_other_threads(
    digits, tmp_path, monkeypatch
):
    """Its matrix products are taken by one thread, and its state is Adam's."""
    config = tiny_config(optimizer="muon", g_size=64, h_size=64)
    whole = train(config, digits, tmp_path / "whole")
    with monkeypatch.context() as patch:
        signal_in_step(patch, signal.SIGINT, {5})
        with pytest.raises(signals.Interrupted):
            train(config, digits, tmp_path / "parts")
    assert_same_bits(train(config, digits, tmp_path / "parts", threads=2), whole)


def test_stopped_during_an_evaluation_it_resumes_to_the_same_bits(
    digits, tmp_path, monkeypatch, uninterrupted
):
    """A signal between two chunks of validation loses nothing."""
    with monkeypatch.context() as patch:
        chunk = scenes.frozen_chunk

        def chunk_with_signal(*arguments):
            os.kill(os.getpid(), signal.SIGTERM)
            return chunk(*arguments)

        patch.setattr(scenes, "frozen_chunk", chunk_with_signal)
        with pytest.raises(signals.Interrupted) as interrupted:
            train(tiny_config(), digits, tmp_path)
    assert interrupted.value.exit_code == 143
    assert_same_bits(train(tiny_config(), digits, tmp_path), uninterrupted)


def test_a_chain_of_stops_reaches_the_same_bits(
    digits, tmp_path, monkeypatch, uninterrupted
):
    """Stopped after every single step, the run still ends on the same bits."""
    for _ in range(12):
        with monkeypatch.context() as patch:
            signal_in_step(patch, signal.SIGINT, {0})
            with pytest.raises(signals.Interrupted):
                train(tiny_config(), digits, tmp_path)
    assert_same_bits(train(tiny_config(), digits, tmp_path), uninterrupted)


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_no_bit(threads, digits, tmp_path, uninterrupted):
    """The result does not depend on how many processes share the shards."""
    assert_same_bits(train(tiny_config(), digits, tmp_path, threads), uninterrupted)


@pytest.mark.parametrize(("first", "then"), [(1, 2), (2, 1)])
def test_resumed_with_another_number_of_threads_no_bit_changes(
    first, then, digits, tmp_path, monkeypatch, uninterrupted
):
    """Who worked on the shards before is not in the checkpoint."""
    with monkeypatch.context() as patch:
        signal_in_step(patch, signal.SIGINT, {5})
        with pytest.raises(signals.Interrupted):
            train(tiny_config(), digits, tmp_path, first)
    assert_same_bits(train(tiny_config(), digits, tmp_path, then), uninterrupted)


@pytest.mark.parametrize("model", ["fc", "conv"])
def test_the_number_of_threads_changes_no_bit_of_a_baseline(model, digits, tmp_path):
    """All models take the same path."""
    config = tiny_config(model=model, image_height=12, image_width=12, filter_size=5)
    one, two = (train(config, digits, tmp_path / str(n), n) for n in (1, 2))
    assert_same_bits(one, two)


def test_a_step_moves_the_streams_of_the_shards_it_used(digits):
    """And of no other: a short last batch of one image is one shard."""
    config = tiny_config(batch_size=89)
    now = state.initial(config, 90)
    trainer = training.Trainer(config, digits.train, now)
    for moved in ([True, True], [True, False]):
        before = [now.streams_of(shard)["policy"] for shard in (0, 1)]
        trainer.step()
        after = [now.streams_of(shard)["policy"] for shard in (0, 1)]
        assert [b != a for b, a in zip(before, after)] == moved


def test_saving_more_often_changes_no_bit(digits, tmp_path, uninterrupted):
    """--save-every moves no random stream."""
    assert_same_bits(
        train(tiny_config(), digits, tmp_path, save_every=1), uninterrupted
    )


def test_an_extra_evaluation_moves_no_stream(digits, tmp_path, pool, uninterrupted):
    """Evaluation has a stream of its own."""
    config = tiny_config()
    now = state.initial(config, 90)
    trainer = training.Trainer(config, digits.train, now)
    training.count_errors(trainer.agent, digits.valid, "valid", pool, 3)
    training.train(config, digits, str(tmp_path), now)
    assert_same_bits(now, uninterrupted)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("augmented", [{"deformation": 2.0}, {"max_shift": 2}])
def test_in_its_plain_epochs_digits_are_as_they_are(augmented, threads, digits):
    """The last epoch of three is plain: until then, the run is the one that bends or
    moves digits to the end, and from there on the one that never does, whoever works
    on the shards.
    """

    def trained(epochs, now=None, **changes):
        config = tiny_config(epochs=3, **augmented | changes)
        now = now or state.initial(config, 90)
        with training.Trainer(config, digits.train, now, threads) as trainer:
            for _ in range(epochs):
                for _ in range(trainer.steps_per_epoch):
                    trainer.step()
                trainer.end_epoch(wrong_of(trainer.agent))
        return now

    always, plain = trained(2), trained(2, plain_share=0.4)
    assert np.array_equal(plain.vector, always.vector)
    assert not np.array_equal(trained(2, plain_share=0.6).vector, always.vector)
    never = dict.fromkeys(augmented, 0)
    go_on = {"plain": {"plain_share": 0.4}, "never": never, "always": {}}
    ends = {
        name: trained(1, copy.deepcopy(plain), **changes).vector
        for name, changes in go_on.items()
    }
    assert np.array_equal(ends["plain"], ends["never"])
    assert not np.array_equal(ends["plain"], ends["always"])


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "muon"])
def test_weights_decay_with_the_rate_of_the_step(optimizer, digits):
    """After one step the weights differ from those of a run without decay by rate ·
    decay of what they were, whichever the optimiser; biases not at all.
    """
    decay, trees = 0.4, []
    for weight_decay in (0.0, decay):
        config = tiny_config(optimizer=optimizer, weight_decay=weight_decay)
        now = state.initial(config, 90)
        with training.Trainer(config, digits.train, now, threads=1) as trainer:
            start = copy.deepcopy(trainer.params)
            shrink = trainer.learning_rate * decay
            trainer.step()
            trees.append(trainer.params)
    for network, arrays in start.items():
        for name, array in arrays.items():
            less = trees[0][network][name] - trees[1][network][name]
            expected = shrink * array if array.ndim > 1 else 0 * array
            np.testing.assert_allclose(less, expected, atol=1e-6)


@pytest.mark.parametrize("num_shards", [1, 2, 3, 24])
def test_shards_make_up_the_gradient_of_the_whole_batch(
    num_shards, digits, monkeypatch
):
    """Cut into shards, a batch of 24 and the short one of 18 give the mean over it."""
    config = tiny_config(num_shards=num_shards, final_location_std=0.0)
    now = state.initial(config, 90)
    trainer = training.Trainer(config, digits.train, now)
    seen = []
    rollout = model.rollout

    def remember(params, images, *arguments):
        trajectory = rollout(params, images, *arguments)
        seen.append((images, trajectory.locations))
        return trajectory

    monkeypatch.setattr(model, "rollout", remember)
    for position, size in ((0, 24), (3, 18)):
        seen.clear()
        now.position = position
        before = now.vector.copy()
        trainer.step()
        taken = trainer.gradients[0].copy()
        moved, now.vector[:] = now.vector.copy(), before
        images = np.concatenate([i for i, _ in seen])
        locations = np.concatenate([l for _, l in seen], axis=1)
        batch = now.order[position * 24 : position * 24 + 24]
        assert len(images) == len(batch) == size
        labels = digits.train.labels[batch].astype(np.intp)
        whole = gradient(trainer.params, images, locations, labels, config)
        assert relative_error(taken, whole) < 1e-4
        now.vector[:] = moved


def gradient(params, images, locations, labels, config):
    trajectory = model.replay(params, images, locations, config)
    reward = reinforce.rewards(trajectory.logits, labels, config.reward)
    R = reinforce.returns_to_go(reward, config.discount)
    advantage = reinforce.advantages(R, trajectory.baseline, "learned", 1)
    _, cache = reinforce.hybrid_loss_forward(
        trajectory, labels, R, advantage, config, config.location_std
    )
    grads = model.backward(*reinforce.hybrid_loss_backward(cache), trajectory, config)
    arrays = [grads[network][name] for network in params for name in params[network]]
    return np.concatenate([array.ravel() for array in arrays])


def test_an_agent_with_one_glimpse_trains(digits, tmp_path):
    """T = 1 makes no choice: there is nothing to saturate, and nothing breaks."""
    now = train(tiny_config(num_glimpses=1, epochs=1), digits, tmp_path)
    assert now.history[0]["saturation"] == 0


def test_progress_tells_speed_errors_and_time_left(digits):
    """Half of the steps in 60 s leave 60 s to go."""
    config = tiny_config()
    now = state.initial(config, 90)
    trainer = training.Trainer(config, digits.train, now)
    trainer.step()
    now.step, now.seconds = 6, 60.0
    now.sums |= {"images": 300, "seconds": 2.0, "wrong": 9, "rows": 300}
    text = training.describe(now, trainer)
    assert text == "150 images/s, train 3.00 %, 01:00 left"
    text = training.describe(now, trainer, valid_error=2.5)
    assert text == "150 images/s, train 3.00 %, valid 2.50 %, 01:00 left"


def test_every_image_is_used_once_an_epoch(digits, monkeypatch):
    """The last short batch is not dropped, and no image comes twice."""
    config = tiny_config()
    now = state.initial(config, 90)
    trainer = training.Trainer(config, digits.train, now)
    used = []
    compose = scenes.compose

    def remember(split, index, *arguments, **options):
        used.extend(index)
        return compose(split, index, *arguments, **options)

    monkeypatch.setattr(scenes, "compose", remember)
    for _ in range(trainer.steps_per_epoch):
        trainer.step()
    assert sorted(used) == list(range(90))
    row = trainer.end_epoch(wrong_of(trainer.agent))
    assert not np.array_equal(now.order, np.asarray(used))
    assert row["step"] == 4


def test_the_best_and_the_last_are_not_mixed_up(digits, tmp_path, monkeypatch):
    """best.npz is the epoch with the lowest validation error, not the last one."""
    errors = iter([30.0, 10.0, 20.0])
    kept = []

    def told(agent, *arguments, **options):
        kept.append(agent.params["core"]["W_h"].astype(np.float16))
        return wrong_of(agent, next(errors))

    monkeypatch.setattr(training, "count_errors", told)
    last = train(tiny_config(), digits, tmp_path)
    best, row = agent_file.load_with_training(tmp_path)
    assert row["epoch"] == 2 and row["valid_error"] == 10.0 == last.best_error
    assert np.array_equal(best.params["core"]["W_h"], kept[1])
    assert not np.array_equal(kept[1], kept[2])
    # Its policy is as wide as it was when it was judged, not as at the end.
    assert 0.1 < best.location_std < 0.2


def test_an_agent_may_scatter_less_where_it_is_judged(digits, tmp_path):
    """Training draws as ever, to the bit; best.npz holds the other standard deviation."""
    for std in (0.0, 0.01):
        train(tiny_config(evaluation_location_std=std), digits, tmp_path / str(std))
    one, other = (
        checkpoint.load(tmp_path / name / "checkpoint.npz")[0]
        for name in ("0.0", "0.01")
    )
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert agent_file.load(tmp_path / "0.01").location_std == 0.01
    assert agent_file.load(tmp_path / "0.0").location_std > 0.1


def test_metrics_are_a_row_an_epoch_with_the_promised_keys(
    digits, tmp_path, uninterrupted
):
    """metrics.jsonl holds an object per epoch, errors in percent."""
    train(tiny_config(), digits, tmp_path)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["step"] for row in rows] == [4, 8, 12]
    for row in rows:
        assert list(row) == [
            "epoch",
            "step",
            "cross_entropy",
            "baseline_loss",
            "train_error",
            "valid_error",
            "learning_rate",
            "images_per_second",
            "seconds",
            *diagnostics.METRICS,
        ]
        assert 0 <= row["train_error"] <= 100 and 0 <= row["valid_error"] <= 100
        assert row["cross_entropy"] > 0 and row["images_per_second"] > 0
    assert without_clocks(rows) == without_clocks(uninterrupted.history)


@pytest.mark.parametrize(("mean", "saturation"), [(0.5, 0), (0.96, 0.5), (3.0, 0.5)])
def test_saturation_is_logged(mean, saturation, digits):
    """The share of the policy's means at the border or beyond, here those of x."""
    config = tiny_config(learning_rate=1e-9)
    now = state.initial(config, 90)
    trainer = training.Trainer(config, digits.train, now)
    trainer.params["location"]["W_mu"][:] = 0
    trainer.params["location"]["b_mu"][:] = -mean, 0.2
    trainer.step()
    row = trainer.end_epoch(wrong_of(trainer.agent))
    assert row["saturation"] == pytest.approx(saturation)


@pytest.mark.parametrize("model", ["ram", "fc"])
def test_gradient_norms_are_logged(model, digits):
    """For each network, the mean over the steps of the norm of its gradient."""
    config = tiny_config(model=model, image_height=12, image_width=12)
    now = state.initial(config, 90)
    trainer = training.Trainer(config, digits.train, now)
    norms = []
    for _ in range(trainer.steps_per_epoch):
        trainer.step()
        norms.append(
            {
                network: np.linalg.norm(
                    np.concatenate([array.ravel() for array in arrays.values()])
                )
                for network, arrays in trainer.grads.items()
            }
        )
    logged = trainer.end_epoch(wrong_of(trainer.agent))["gradient_norms"]
    assert logged.keys() == trainer.params.keys()
    for network, norm in logged.items():
        mean = np.mean([each[network] for each in norms])
        assert norm > 0 and norm == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("model", ["ram", "fc"])
def test_the_cross_entropy_that_is_logged_is_of_one_class(model, every_step, digits):
    """However often a model classifies: log 10 where it finds 10 classes alike."""
    config = tiny_config(
        model=model, image_height=12, image_width=12, classify_every_step=every_step
    )
    now = state.initial(config, 90)
    trainer = training.Trainer(config, digits.train, now)
    trainer.params["action"]["W_a"][:] = 0
    trainer.step()
    row = trainer.end_epoch(wrong_of(trainer.agent))
    assert row["cross_entropy"] == pytest.approx(np.log(10), rel=1e-5)


def test_an_agent_that_does_nothing_finite_stops_the_run(digits):
    """Weights may be finite when what they make of an image is not."""
    config = tiny_config()
    now = state.initial(config, 90)
    trainer = training.Trainer(config, digits.train, now)
    trainer.step()
    trainer.evaluated["core"]["W_g"][:] = 1e38
    with pytest.raises(DivergenceError, match="step 1: what the agent does is no"):
        trainer.end_epoch(wrong_of(trainer.agent))
    assert now.epoch == 0 and now.history == []


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "muon"])
def test_a_rate_that_explodes_stops_the_run(optimizer, digits, tmp_path):
    """Divergence names the step and the tensor and leaves the checkpoint alone."""
    config = tiny_config(optimizer=optimizer, learning_rate=1e6, clip_norm=0.0)
    tmp_path.joinpath("checkpoint.npz").write_bytes(b"the last good one")
    now = state.initial(config, 90)
    with pytest.raises(DivergenceError) as error:
        training.train(config, digits, str(tmp_path), now, save_every=1)
    assert error.value.exit_code == 3
    message = str(error.value)
    assert "step" in message and "\n" not in message
    assert any(f"{network}." in message for network in ("glimpse", "core", "action"))
    kept = tmp_path.joinpath("checkpoint.npz")
    if kept.read_bytes() != b"the last good one":  # steps before were still finite
        assert np.isfinite(checkpoint.load(kept)[0]["parameters"]).all()


@pytest.mark.parametrize("pixel", [np.nan, np.inf])
def test_a_pixel_that_is_no_number_stops_the_run_at_once(
    pixel, digits, tmp_path, monkeypatch
):
    """Should one ever get past the readers: the first step tells, nothing is saved."""
    compose = scenes.compose

    def compose_broken(*arguments, **options):
        images = compose(*arguments, **options)
        images[3] = pixel
        return images

    monkeypatch.setattr(scenes, "compose", compose_broken)
    with pytest.raises(DivergenceError, match=r"^step 1: the gradient of \w+\.\w+ is"):
        train(tiny_config(), digits, tmp_path, save_every=1)
    assert list(tmp_path.iterdir()) == []


def test_an_infinite_weight_is_named(digits):
    """The broken weight is named, not what it breaks downstream."""
    config = tiny_config()
    now = state.initial(config, 90)
    trainer = training.Trainer(config, digits.train, now)
    trainer.params["core"]["W_g"][2, 3] = np.inf
    with pytest.raises(DivergenceError, match=r"step 1: core\.W_g is no longer"):
        trainer.step()
    assert now.step == 0
