"""Helpers of several test files: small digits, small settings, relative errors."""

import copy
import gc
import io
import math
import sys
from concurrent.futures import Executor, Future

import numpy as np
import pytest
from hypothesis import strategies as st

from ramnp.datasets.mnist import Split
from ramnp.learning import choices, diagnostics
from ramnp.learning.config import Config
from ramnp.learning.evaluation import ErrorCounts
from ramnp.proofs.complex_step import derivatives, failures


def small_config(**changes):
    """Settings of an agent whose dimensions all differ."""
    settings = {
        "patch_size": 3,
        "num_scales": 2,
        "num_glimpses": 4,
        "num_classes": 5,
        "hg_size": 6,
        "hl_size": 7,
        "g_size": 8,
        "h_size": 9,
        "location_std": 0.2,
    }
    return Config(**(settings | changes))


def small_split(seed, count, height=28, width=28):
    """Draw a split of blurred strokes that are no digits but can be told apart.

    Class c is a bar at an angle of 18 c degrees, with noise.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(10, size=count).astype(np.uint8)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle = labels[:, None, None] * (np.pi / 10)
    across = x * np.sin(angle) - y * np.cos(angle)
    ink = np.exp(-((across / 0.2) ** 2)) * (x * x + y * y < 0.7)
    noise = rng.uniform(0.7, 1.0, size=ink.shape)
    return Split((255 * ink * noise).astype(np.uint8), labels)


def tiny_config(**changes):
    """Return settings of a run of 3 epochs of 4 steps on 90 digits."""
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


RECTIFIER_GAIN = math.sqrt(2)


class Unread:
    """An array of a split that must not be read: it has a shape, and no more."""

    def __init__(self, array):
        self.shape = array.shape

    def __getattr__(self, name):
        pytest.fail(f"the test split was read: {name}")

    def __getitem__(self, index):
        pytest.fail("the test split was read")

    __len__ = __array__ = __iter__ = __getitem__


def sealed(digits):
    """Return digits whose test split raises an error when read."""
    return digits._replace(test=Split(*map(Unread, digits.test)))


# A run of 12 steps, 4 an epoch, whose last batch is short: a fraction of a second.
TINY_RUN = [
    "--epochs=3",
    "--learning-rate=0.002",
    "--batch-size=24",
    "--num-glimpses=3",
    "--patch-size=4",
    "--h-size=16",
    "--hg-size=8",
    "--hl-size=8",
    "--g-size=16",
    "--locator-hidden-size=8",
    "--rollouts=2",
]


class Watched(io.StringIO):
    """A stream that knows what of it has been flushed."""

    flushed = ""

    def flush(self):
        self.flushed = self.getvalue()


class Inline(Executor):
    """Does each job of a study at once, in this thread."""

    def submit(self, function, *arguments):
        future = Future()
        future.set_result(function(*arguments))
        return future


@np.errstate(over="ignore", invalid="ignore")
def wrong_of(agent, error=50.0):
    """Return possible ErrorCounts of an agent that looked at one image."""
    images = small_split(0, 1, 12, 12).images / np.float32(255)
    trajectory = choices.model_of(agent.config).rollout(
        agent.params, images, None, agent.config
    )
    behaviour = diagnostics.observe(trajectory, np.zeros(1, int), agent.config)
    after_each_glimpse = np.array([30, round(error)])
    return ErrorCounts(after_each_glimpse, 0, 100, behaviour)


def write_digits(path, count=126, side=12):
    """Write a .npz of `count` small bars; 5/7 of them, 90, are for training."""
    split = small_split(0, count, side, side)
    np.savez(path, images=split.images, labels=split.labels)
    return str(path)


# Equally bright, so that only an agent in colour can tell them apart.
HUES = {"red": (200, 0, 0), "green": (0, 102, 0), "purple": (100, 0, 255)}


def colour_split(seed, count, side=12):
    """Draw a split of squares on white, whose class is their hue."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.uint8) % len(HUES)
    images = np.full((count, side, side, 3), 255, np.uint8)
    for image, label in zip(images, labels):
        y, x = rng.integers(side // 2, size=2)
        image[y : y + side // 2, x : x + side // 2] = [*HUES.values()][label]
    return Split(images, labels)


def mutated(content):
    """The content with some bytes replaced, and often cut somewhere."""
    changes = st.dictionaries(
        st.integers(0, len(content) - 1), st.integers(0, 255), max_size=4
    )

    def apply(changes, stop):
        result = bytearray(content)
        for place, value in changes.items():
            result[place] = value
        return bytes(result[:stop])

    end = st.one_of(st.just(len(content)), st.integers(0, len(content)))
    return st.builds(apply, changes, end)


def relative_error(actual, expected):
    """Return max |actual - expected| / max |expected|, 0 for two zeros."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    scale = np.abs(expected).max(initial=0)
    difference = np.abs(actual - expected).max(initial=0)
    return difference / scale if scale else difference


def order_one(rng, arrays):
    """Draw arrays of order 1 in the shapes of {name: array}, in float64."""
    return {name: rng.standard_normal(array.shape) for name, array in arrays.items()}


def order_one_tree(rng, tree):
    """Draw parameters of order 1 in the shapes of {network: {name: array}}."""
    return {network: order_one(rng, arrays) for network, arrays in tree.items()}


def layout(arrays):
    """Return {name: (shape, dtype)}, what gradients and parameters have in common."""
    return {name: (array.shape, array.dtype) for name, array in arrays.items()}


def assert_contract(
    rng,
    network,
    sizes,
    shapes,
    inputs,
    output,
    options=(),
    *,
    gain=RECTIFIER_GAIN,
    gains=(),
    scales=(),
    skips=False,
):
    """Assert the contract of a network: shapes, dtypes, pure functions, gradients.

    shapes {name: shape} of the parameters for these sizes, inputs {name: shape}, output
    a shape. options follow the inputs of forward. Initial weights have the standard
    deviation gain / √fan-in, gains {name: gain} where it differs. scales {name: factor} makes weights
    smaller where gradients would be. skips: backward takes with_inputs=False.
    """
    assert network.shapes(*sizes) == shapes
    drawn = network.init(np.random.default_rng(7), *sizes, dtype=np.float64)
    same = np.random.default_rng(7)
    for name, shape in shapes.items():
        std = dict(gains).get(name, gain) / math.sqrt(shape[0])
        weights = std * same.standard_normal(shape) if len(shape) > 1 else 0
        assert np.allclose(drawn[name], weights, rtol=1e-14, atol=0), name
    for dtype in (np.float32, np.float64):
        params = network.init(rng, *sizes, dtype=dtype)
        assert layout(params) == {name: (shapes[name], dtype) for name in params}
        params, given = order_one(rng, params), {}
        for name, factor in dict(scales).items():
            params[name] *= factor
        params = {name: array.astype(dtype) for name, array in params.items()}
        for name, shape in inputs.items():
            given[name] = rng.standard_normal(shape).astype(dtype)
        before = copy.deepcopy(params | given)
        out, cache = network.forward(params, *given.values(), *options)
        assert layout({"out": out}) == {"out": (output, dtype)}
        dout = rng.standard_normal(output).astype(dtype)
        dinputs, grads = network.backward(dout, cache)
        gradients = grads | dict(zip(inputs, dinputs, strict=True))
        assert layout(gradients) == layout(params | given)
        for name, array in (params | given).items():
            assert np.array_equal(array, before[name]), name
        if skips:
            skipped, same = network.backward(dout, cache, with_inputs=False)
            assert skipped == () and same.keys() == grads.keys()
            assert all(np.array_equal(same[name], grads[name]) for name in grads)

    def loss(arrays):
        out, _ = network.forward(arrays, *(arrays[n] for n in inputs), *options)
        return (dout * out).sum()

    # Single coordinates may be small differences of large numbers.
    assert not failures(gradients, derivatives(loss, params | given), coordinate=1e-8)


def count_bytecodes(function):
    """Count what Python itself executes in a call; a loop over a batch shows here."""
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        count += event == "opcode"
        return trace

    previous, collects = sys.gettrace(), gc.isenabled()
    gc.disable()  # Hypothesis has Python called at each collection
    sys.settrace(trace)
    try:
        function()
        # From Python 3.13 on, code is traced by opcodes only from its next call on.
        count = 0
        function()
    finally:
        sys.settrace(previous)
        if collects:
            gc.enable()
    return count
