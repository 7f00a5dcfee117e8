"""Time ramnp against the same agent in PyTorch, eager and compiled.

    pip install -r benchmarks/requirements.txt
    python benchmarks/peers.py [--task T ...] [--pairs N] [--threads N] [--json PATH]

Both are given the same weights and must come to the same loss and gradients before
anything is timed: the recipe quick, and the training of the recipe paper, 20 images with
one and ten rollouts each. Ours composes its scenes, PyTorch is given them. Measurements
take turns, A B A B; a ratio is the median over the pairs, its spread their quartiles.
"""

import argparse
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from torch_ram import RAM

from ramnp.agent import model
from ramnp.datasets import mnist, scenes
from ramnp.learning import reinforce
from ramnp.learning.optimizers import MUON_SMALLEST_SIDE
from ramnp.learning.predictor import Agent
from ramnp.learning.recipes import TASKS, make_config
from ramnp.learning.state import initial
from ramnp.learning.trainer import Trainer
from ramnp.runs.workers import Workers
from ramnp.support import process

PREDICTED = 1000
PASSES = {
    "training": 4,
    "training, 20 x 1": 20,
    "training, 20 x 10": 4,
    "prediction of 1,000": 1,
    "prediction of 1": 20,
}


def main(arguments):
    """Compare the chosen tasks; print the results, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--task", nargs="+", choices=TASKS, default=["centered", "cluttered"]
    )
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--data")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    process.reuse_memory()
    digits = mnist.load(options.data)
    report = {"threads": options.threads, "torch": torch.__version__, "tasks": {}}
    for task in options.task:
        quick = {"average_decay": 0.0, "final_location_std": 0.0}
        for name, config in {
            "training": make_config(task, "quick", **quick),
            "training, 20 x 1": make_config(task, "paper", num_rollouts=1),
            "training, 20 x 10": make_config(task, "paper", num_rollouts=10),
        }.items():
            state = initial(config, len(digits.train.labels))
            with (
                ThreadPoolExecutor(options.threads) as pool,
                Workers(options.threads, config, digits.train, state.vector) as workers,
            ):
                trainer = Trainer(config, digits.train, state, workers, pool.map)
                measured = compare(name, trainer, digits, options.pairs)
            report["tasks"].setdefault(task, {}).update(measured)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def compare(training, trainer, digits, pairs):
    """Check, time and print the training of this name; return its numbers.

    With the recipe quick, also prediction.
    """
    config = trainer.config
    agent = Agent(trainer.params, config, config.location_std)
    index = np.arange(PREDICTED)
    images = scenes.compose(digits.train, index, np.random.default_rng(0), config)
    labels = digits.train.labels[index].astype(np.int64)
    batch = images[: config.batch_size], labels[: config.batch_size]

    def step():
        trainer.step()
        trainer.state.position = 0

    ours = {training: (step, config.batch_size)}
    if config.recipe == "quick":
        ours |= {
            "prediction of 1,000": (
                lambda: agent.predict(images, threads=torch.get_num_threads()),
                PREDICTED,
            ),
            "prediction of 1": (lambda: agent.predict(images[:1]), 1),
        }
    # In float64 no rounding hides a difference; in float32 a unit at its kink may
    # fall to either side.
    exact = RAM(config).double()
    exact.load(as_type(np.float64, trainer.params))
    check(exact, exact.loss, batch[0].astype(np.float64), batch[1], 1e-9)
    measured = {}
    for kind in ("eager", "compiled"):
        peer = RAM(config)
        peer.load(trainer.params)
        loss, forward = peer.loss, peer.forward
        if kind == "compiled":
            loss = torch.compile(loss, dynamic=False)
            forward = torch.compile(forward, dynamic=False)
        check(peer, loss, *batch, 1e-2)
        theirs = {
            training: train_step(peer, loss, *batch),
            "prediction of 1,000": prediction(forward, images),
            "prediction of 1": prediction(forward, images[:1]),
        }
        for name, (run, count) in ours.items():
            rates = duel(run, theirs[name], count, PASSES[name], pairs)
            measured[f"{name}, {kind}"] = rates
            print(
                f"{config.task:<14}{name:<21}"
                f"ramnp {rates['ramnp_images_per_second']:>8,.0f}   "
                f"torch {kind:<9}{rates['torch_images_per_second']:>8,.0f} images/s   "
                f"ratio {rates['ratio']:.2f} "
                "({:.2f} to {:.2f})".format(*rates["quartiles"]),
                flush=True,
            )
    return measured


def duel(ours, theirs, count, passes, pairs):
    """Time two functions alternately; return their rates in images, and the ratio."""
    for _ in range(2):
        take_turns(ours, theirs, passes)
    seconds = np.array([take_turns(ours, theirs, passes) for _ in range(pairs)])
    rates = count / np.median(seconds, axis=0)
    low, ratio, high = np.quantile(seconds[:, 1] / seconds[:, 0], [0.25, 0.5, 0.75])
    return {
        "ramnp_images_per_second": rates[0],
        "torch_images_per_second": rates[1],
        "ratio": ratio,
        "quartiles": [low, high],
    }


def take_turns(a, b, passes):
    """Return the seconds of one pass of each, one after the other."""
    marks = [time.perf_counter()]
    for function in (a, b):
        for _ in range(passes):
            function()
        marks.append(time.perf_counter())
    return np.diff(marks) / passes


def train_step(peer, loss, images, labels):
    """Return a function that takes one step of PyTorch's SGD, or Muon and Adam."""
    config, large, rest = peer.config, [], []
    for tensor in peer.parameters():
        fits = tensor.ndim == 2 and min(tensor.shape) >= MUON_SMALLEST_SIDE
        (large if fits else rest).append(tensor)
    if config.optimizer == "sgd":
        momentum = config.momentum
        optimizers = [
            torch.optim.SGD(large + rest, lr=1e-4, momentum=momentum, fused=True)
        ]
    else:
        muon = {"momentum": config.momentum, "weight_decay": 0.0, "ns_steps": 3}
        optimizers = [
            torch.optim.Muon(large, lr=1e-4, **muon),
            torch.optim.Adam(rest, lr=1e-4, fused=True),
        ]
    images, labels = torch.from_numpy(images), torch.from_numpy(labels)

    def step():
        value, _ = loss(images, labels)
        value.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    return step


def prediction(forward, images):
    """Return a function that gives the probabilities after each glimpse."""
    images = torch.from_numpy(images)

    def predict():
        with torch.inference_mode():
            return forward(images)[1].softmax(-1)

    return predict


def check(peer, loss, images, labels, tolerance):
    """Raise unless loss and gradients equal ramnp's, at the locations that it drew."""
    config = peer.config
    value, locations = loss(torch.from_numpy(images), torch.from_numpy(labels))
    value.backward()
    params = {}
    for (network, name), tensor in peer.names.items():
        array = np.ascontiguousarray(tensor.detach().numpy().T)
        params.setdefault(network, {})[name] = array
    labels = np.tile(labels, config.num_rollouts)
    trajectory = model.replay(params, images, locations.numpy(), config)
    reward = reinforce.rewards(trajectory.logits, labels, config.reward)
    R = reinforce.returns_to_go(reward, config.discount)
    advantage = reinforce.advantages(
        R, trajectory.baseline, config.baseline, config.num_rollouts
    )
    losses, cache = reinforce.hybrid_loss_forward(
        trajectory, labels, R, advantage, config, config.location_std
    )
    grads = model.backward(*reinforce.hybrid_loss_backward(cache), trajectory, config)
    # The peer leaves out the constant of the Gaussian.
    constant = np.log(2 * np.pi * config.location_std**2)
    ours = losses.total - config.policy_weight * constant * advantage.sum() / len(
        labels
    )
    np.testing.assert_allclose(value.item(), ours, rtol=tolerance)
    for (network, name), theirs in peer.gradients().items():
        mine = grads[network][name]
        error = np.linalg.norm(mine - theirs) / np.linalg.norm(mine)
        assert error < tolerance, f"{network}.{name}: gradients differ by {error:.1e}"
    peer.zero_grad()


def as_type(dtype, params):
    """Return a copy of the parameters in another type."""
    return {
        network: {name: array.astype(dtype) for name, array in arrays.items()}
        for network, arrays in params.items()
    }


if __name__ == "__main__":
    main(sys.argv[1:])
