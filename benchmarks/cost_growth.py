"""Measure how the cost of an image grows with glimpses, batch and the image's side.

    python benchmarks/cost_growth.py [--data DIR]

Writes docs/cost_growth.json and draws it as docs/cost_growth.png. A cost is the
processor time in one thread that composing, looking at and learning from an image
takes (forward, loss and backward; the optimiser's step is one per batch). All points
are measured in turn, round after round, so that what disturbs the machine meets them
alike; a cost is the median over the rounds.
"""

import argparse
import itertools
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np
from figures import draw_cost_growth
from tqdm import tqdm

from ramnp.agent import glimpse_sensor
from ramnp.datasets import mnist, scenes
from ramnp.learning import reinforce
from ramnp.learning.choices import model_of
from ramnp.learning.recipes import make_config
from ramnp.support import process

GLIMPSES = (2, 4, 6, 8, 12, 16, 20, 24)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
SIDES = (28, 40, 60, 80, 100, 140, 200, 280, 400)
BATCH = 32
ROUNDS = 15


@process.limited_blas
def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data")
    process.reuse_memory()
    split = mnist.load(parser.parse_args(arguments).data).train
    points = {
        "glimpses": [Point(split, 64, num_glimpses=T) for T in GLIMPSES],
        "batch": [Point(split, B) for B in BATCHES],
        "agent": [Point(split, BATCH, canvas_size=side) for side in SIDES],
        "convolutional": [
            Point(split, BATCH, canvas_size=side, model="conv") for side in SIDES
        ],
    }
    for _ in tqdm(range(ROUNDS), unit="round", disable=None):
        for point in itertools.chain(*points.values()):
            point.measure()
    costs = {name: [point.cost() for point in row] for name, row in points.items()}
    report = {
        "processor": process.processor(),
        "unit": "milliseconds of processor time per image",
        "glimpses": [{"T": T} | c for T, c in zip(GLIMPSES, costs["glimpses"])],
        "batch": [{"batch": B} | c for B, c in zip(BATCHES, costs["batch"])],
        "side": [
            {"side": side, "agent": agent, "convolutional": convolutional}
            for side, agent, convolutional in zip(
                SIDES, costs["agent"], costs["convolutional"]
            )
        ],
    }
    docs = ROOT / "docs"
    (docs / "cost_growth.json").write_text(json.dumps(report, indent=1) + "\n")
    draw_cost_growth(report, docs / "cost_growth.png")


class Point:
    """One configuration of the cluttered task, and its measured cost."""

    def __init__(self, split, B, **changes):
        config = make_config("cluttered", "quick", batch_size=max(B, 2), **changes)
        self.model, self.config, self.B, self.seconds = model_of(config), config, B, []
        self.split, self.rng = split, np.random.default_rng(0)
        self.params = self.model.init(self.rng, config)
        self.labels = split.labels[:B].astype(np.intp)

    def measure(self):
        """Time each part of the work once, over a few batches where they are small."""
        images = self.compose()
        parts = [self.compose, lambda: self.learn(images)]
        if self.config.model == "ram":
            parts.append(lambda: self.prepare(images))
        self.seconds.append([_seconds(f, max(1, BATCH // self.B)) for f in parts])

    def cost(self):
        """Return the milliseconds per image, in total and by part."""
        scene, learned, *pyramid = 1000 * np.median(self.seconds, axis=0) / self.B
        parts = {"total": scene + learned, "scene": scene}
        if pyramid:
            parts |= {"pyramid": pyramid[0], "glimpses": learned - pyramid[0]}
        return {name: round(float(part), 5) for name, part in parts.items()}

    def compose(self):
        return scenes.compose(self.split, np.arange(self.B), self.rng, self.config)

    def prepare(self, images):
        glimpse_sensor.prepare(images, self.config.patch_size, self.config.num_scales)

    def learn(self, images):
        config = self.config
        trajectory = self.model.rollout(self.params, images, self.rng, config)
        reward = reinforce.rewards(trajectory.logits, self.labels, config.reward)
        R = reinforce.returns_to_go(reward, config.discount)
        advantage = reinforce.advantages(R, trajectory.baseline, config.baseline, 1)
        _, cache = reinforce.hybrid_loss_forward(
            trajectory, self.labels, R, advantage, config, config.location_std
        )
        self.model.backward(*reinforce.hybrid_loss_backward(cache), trajectory, config)


def _seconds(function, times):
    """Return the processor time of a call in seconds, after one that warms caches."""
    function()
    began = time.process_time()
    for _ in range(times):
        function()
    return (time.process_time() - began) / times


if __name__ == "__main__":
    main(sys.argv[1:])
