"""Tiny configurations that cover every pair of choices, and tiny data."""

import itertools

import numpy as np

from ramnp.datasets.mnist import Digits, Split
from ramnp.learning.config import Config
from tests.reference_trainer import Reference

# The package's own constants, made small enough to matter for data and layers as tiny.
CHUNK, MUON_SMALLEST_SIDE = 4, 3
_TINY = {
    "epochs": 2,
    "batch_size": 3,  # of 5 digits: the last batch is short
    "num_classes": 3,
    "hg_size": 3,
    "hl_size": 2,
    "g_size": 4,
    "h_size": 4,
    "fc_size": 4,
    "num_filters": 2,
    "filter_size": 3,
    "filter_stride": 2,
    "image_height": 6,
    "image_width": 5,
    "clutter_size": 2,
    "location_std": 0.3,
    "learning_rate": 0.05,
    "momentum": 0.8,
}
_AGENT = {
    "sensor": [
        {"patch_size": 2},
        {"patch_size": 3, "num_scales": 2},
        {"patch_size": 2, "num_scales": 2, "scale_factor": 3, "background": 0.4},
    ],
    "glimpses": [{"num_glimpses": 3}, {"num_glimpses": 2}],
    "policy": [{}, {"policy": "random"}],
    "first glimpse": [
        {},
        {"first_glimpse": "center"},
        {"first_glimpse": "near-center"},
    ],
    "core": [{}, {"identity_recurrence": True}],
    "locator": [
        {},
        {"locator_hidden_size": 3},
        {"locator_bound": "tanh"},
        {"locator_bound": "hard-tanh"},
    ],
    "policy into core": [{}, {"policy_into_core": True}],
    "baseline into core": [{}, {"baseline_into_core": True}],
    "evaluation": [{}, {"evaluation_location_std": 0.05}],
    "std": [{}, {"final_location_std": 0.1}],
    "reward": [{}, {"reward": "log-probability"}, {"reward": "gain"}],
    "discount": [{}, {"discount": 0.6}],
    "baseline": [{}, {"baseline": "leave-one-out"}, {"baseline": "none"}],
    "rollouts": [{"num_rollouts": 2}, {"num_rollouts": 3}, {}],
    "weights": [{}, {"policy_weight": 0.7, "baseline_weight": 0.4}],
}
_ANY = {
    "scene": [
        {},
        {"max_shift": 1, "deformation": 0.7, "plain_share": 0.4},
        {"canvas_size": 8, "num_clutter": 2},
        {"canvas_size": 7, "deformation": 0.7},
    ],
    "every step": [{}, {"classify_every_step": True}],
    "optimizer": [{}, {"optimizer": "adam"}, {"optimizer": "muon"}],
    "schedule": [
        {},
        {"schedule": "cosine", "final_rate": 0.1},
        {"schedule": "constant"},
    ],
    "decay": [{}, {"weight_decay": 0.5}],
    "clipping": [{}, {"clip_norm": 0.5}],
    "average": [{}, {"average_decay": 0.9}, {"average_decay": 0.2}],
    "shards": [{"num_shards": 2}, {"num_shards": 1}, {"num_shards": 3}],
}


def pairwise(factors, allowed):
    """Return rows, one choice per factor, that cover every allowed pair of choices."""
    numbers = [range(len(choices)) for choices in factors]
    missing = {
        (i, a, j, b): None
        for i, j in itertools.combinations(range(len(factors)), 2)
        for a, b in itertools.product(numbers[i], numbers[j])
    }
    rng, rows = np.random.default_rng(0), []

    def pairs_of(row):
        return {(*a, *b) for a, b in itertools.combinations(enumerate(row), 2)}

    while missing:
        i, a, j, b = next(iter(missing))
        candidates = rng.integers([len(n) for n in numbers], size=(30, len(numbers)))
        candidates[:, [i, j]] = a, b
        rows.append(
            max(
                filter(allowed, map(tuple, candidates.tolist())),
                key=lambda row: len(pairs_of(row) & missing.keys()),
                default=None,
            )
        )
        for pair in pairs_of(rows[-1]) if rows[-1] else [(i, a, j, b)]:
            missing.pop(pair, None)
    return list(filter(None, rows))


def _configs():
    yield "the paper", Config(**_TINY, num_glimpses=3, patch_size=3, num_shards=1)
    whole_image = {"model": [{"model": "fc"}, {"model": "conv"}]}
    for name, factors in (
        ("agent", _ANY | _AGENT),
        ("whole image", _ANY | whole_image),
    ):
        names = [*factors]

        def allowed(row, names=names):
            chosen = dict(zip(names, row))
            return chosen.get("baseline") != 1 or chosen["rollouts"] != 2

        for number, row in enumerate(pairwise(factors.values(), allowed)):
            changes = {"seed": number}
            for choices, choice in zip(factors.values(), row):
                changes |= choices[choice]
            yield f"{name} {number}", Config(**_TINY | changes)
    scene = {"canvas_size": 8, "num_clutter": 1, "deformation": 0.7}
    sensor = {"patch_size": 2, "num_scales": 2, "background": 0.4}
    colour = {"channels": 3, "num_glimpses": 2, "num_rollouts": 2}
    yield "agent in colour", Config(**_TINY, **colour, **scene, **sensor)
    for model in ("fc", "conv"):
        changes = colour | {"model": model, "max_shift": 1, "optimizer": "muon"}
        yield f"whole image in colour, {model}", Config(**_TINY | changes)
    layers = {"num_filter_layers": 3, "filter_size": 2, "filter_stride": 1}
    yield "whole image, three layers", Config(**_TINY | layers | {"model": "conv"})


CONFIGS = dict(_configs())


def tiny_split(seed, count, *channels):
    """Draw images of 6 x 5 pixels, of noise."""
    rng = np.random.default_rng(seed)
    images = rng.integers(256, size=(count, 6, 5, *channels)).astype(np.uint8)
    return Split(images, rng.integers(3, size=count).astype(np.uint8))


def digits_of(config):
    """Return tiny digits, in colour if the configuration is."""
    channels = config.input_shape[2:]
    splits = (tiny_split(seed, n, *channels) for seed, n in enumerate((5, 7, 7)))
    return Digits(*splits, sha256="0" * 64)


def reference(config):
    """Return the reference run, for comparison under the fixture float64."""
    return Reference(config, digits_of(config), MUON_SMALLEST_SIDE, CHUNK)


def flat(arrays):
    """Return the arrays of a dict as one vector."""
    return np.concatenate([array.ravel() for array in arrays.values()])


def assert_close(actual, expected):
    """Assert that float64 arrays differ by no more than 1e-12 of their largest value."""
    scale = max(1.0, np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12 * scale)
