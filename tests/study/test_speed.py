"""Measuring speed: the list of products, the profile and the report."""

import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from ramnp.agent import model
from ramnp.datasets import mnist
from ramnp.learning import reinforce
from ramnp.learning import trainer as training
from ramnp.learning.recipes import make_config
from ramnp.learning.state import initial
from ramnp.study import speed
from tests.helpers import small_config, small_split


class Recording(np.ndarray):
    """An array that records the shape (m, k, n) of every matrix product with it."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        inputs = [np.asarray(x) if isinstance(x, Recording) else x for x in inputs]
        if ufunc is np.matmul:
            x, y = inputs
            PRODUCTS.append((x.shape[0], x.shape[1], y.shape[1]))
        if out:
            kwargs["out"] = tuple(np.asarray(array) for array in out)
        result = getattr(ufunc, method)(*inputs, **kwargs)
        return out[0] if out else np.asarray(result).view(Recording)


PRODUCTS = []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_glimpses": 2, "num_rollouts": 3},
        {
            "locator_hidden_size": 11,
            "locator_bound": "tanh",
            "policy_into_core": True,
            "classify_every_step": True,
        },
    ],
)
def test_products_are_those_of_a_step(rng, changes):
    """The list that is timed contains exactly the products of a step."""
    config = small_config(batch_size=26, num_shards=2, **changes)
    params = {
        network: {name: array.view(Recording) for name, array in arrays.items()}
        for network, arrays in model.init(rng, config).items()
    }
    images = rng.random((13, 10, 10), dtype=np.float32)
    labels = rng.integers(config.num_classes, size=13 * config.num_rollouts)
    PRODUCTS.clear()
    trajectory = model.rollout(
        params, images, rng, config, num_rollouts=config.num_rollouts
    )
    R = rng.standard_normal(trajectory.baseline.shape, np.float32)
    _, cache = reinforce.hybrid_loss_forward(trajectory, labels, R, R, config, 0.2)
    dloss = (d.view(Recording) for d in reinforce.hybrid_loss_backward(cache))
    model.backward(*dloss, trajectory, config)
    listed = speed.products(config)
    assert Counter((m, k, n) for _, m, k, n in listed) == Counter(PRODUCTS)
    total = sum(np.prod(shape) for shape in PRODUCTS)
    assert speed.multiply_adds(config) == pytest.approx(total / 13)


def test_multiplier_computes_every_product_for_each_copy(monkeypatch):
    """A call computes all listed products for each copy, in their layouts."""
    seen = []

    def matmul(x, y, out):
        layouts = ["n" if array.flags.c_contiguous else "t" for array in (x, y)]
        seen.append(("".join(layouts), *x.shape, y.shape[1]))
        assert out.shape == (x.shape[0], y.shape[1])

    listed = [("nn", 2, 3, 4), ("nt", 5, 6, 7), ("tn", 3, 2, 6)]
    multiply = speed.multiplier(listed, SimpleNamespace(map=map), 2)
    monkeypatch.setattr(np, "matmul", matmul)
    multiply()
    assert seen == 2 * listed


def test_where_time_goes_adds_up():
    """The shares of all stages and the rest sum to 1; each is positive."""
    config = make_config("centered", num_glimpses=2, batch_size=4)
    split = small_split(0, 16)
    trainer = training.Trainer(config, split, initial(config, 16))
    shares = speed.where_time_goes(trainer.step, repetitions=3)
    assert sum(shares.values()) == pytest.approx(1)
    assert all(share > 0 for share in shares.values())


def test_every_measurement_is_a_positive_number(digits_file, brief_measurements):
    """Even those of a tiny measurement."""
    digits = mnist.load(digits_file)
    config = make_config("translated", num_glimpses=2, batch_size=16)
    other = make_config("translated", "paper", num_glimpses=2, num_rollouts=2)
    numbers, gflops = speed.measure(config, digits, 2, 1, {"other": other})
    numbers.pop("time")
    assert gflops > 0 and "other" in numbers
    # As measured in the same round: the whole step at the rate of square products.
    step = 16 / numbers["train_images_per_second"]
    macs = 16 * numbers["multiply_adds_per_image"]
    share = 2e-9 * macs / step / gflops
    assert numbers["square_share"] == pytest.approx(share)
    assert all(type(number) is float and number > 0 for number in numbers.values())


def test_peak_memory_is_that_of_this_process():
    """The peak grows with memory in use, and does not fall again."""
    before = speed.peak_mib()
    needed = int(before) + 64
    np.ones(needed * 2**20, np.uint8)
    assert speed.peak_mib() > before + 32


def test_peak_memory_includes_other_processes():
    """With their private memory; processes that have ended count nothing."""
    program = "import sys; held = b'x' * 2**26; print(flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], **pipes) as other:
        other.stdout.readline()
        alone, together = speed.peak_mib(), speed.peak_mib([other.pid])
    assert 64 < together - alone < 96
    assert speed.peak_mib([other.pid]) - alone < 32
