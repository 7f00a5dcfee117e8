"""Measure how the cost of an image grows with glimpses, batch and the image's side.

    python benchmarks/cost_growth.py [--data DIR]

Writes docs/cost_growth.json and draws it as docs/cost_growth.png. A cost is the
processor time in one thread that composing, looking at and learning from an image
takes (forward, loss and backward; the optimiser's step is one per batch), the median
over repetitions.
"""

import argparse
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from ramnp import runtime

runtime.configure()

import numpy as np
from figures import draw_cost_growth

from ramnp import reinforce
from ramnp.datasets import mnist, scenes
from ramnp.models import model_of
from ramnp.networks import glimpse_sensor
from ramnp.tasks import make_config

GLIMPSES = (2, 4, 6, 8, 12, 16, 20, 24)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
SIDES = (28, 40, 60, 80, 100, 140, 200, 280, 400)
BATCH = 32
REPETITIONS = 9


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data")
    split = mnist.load(parser.parse_args(arguments).data).train
    report = {
        "processor": runtime.processor(),
        "unit": "milliseconds of processor time per image",
        "glimpses": [
            {"T": T, **cost(split, "cluttered", 64, num_glimpses=T)} for T in GLIMPSES
        ],
        "batch": [{"batch": B, **cost(split, "cluttered", B)} for B in BATCHES],
        "side": [
            {
                "side": side,
                "agent": cost(split, "cluttered", BATCH, canvas_size=side),
                "convolutional": cost(
                    split, "cluttered", BATCH, canvas_size=side, model="conv"
                ),
            }
            for side in SIDES
        ],
    }
    docs = ROOT / "docs"
    (docs / "cost_growth.json").write_text(json.dumps(report, indent=1) + "\n")
    draw_cost_growth(report, docs / "cost_growth.png")


def cost(split, task, B, **changes):
    """Return the milliseconds per image of a batch of B: in all, and of its parts."""
    config = make_config(task, "quick", batch_size=max(B, 2), **changes)
    model = model_of(config)
    rng = np.random.default_rng(0)
    params = model.init(rng, config)
    labels = split.labels[:B].astype(np.intp)

    def compose():
        return scenes.compose(split, np.arange(B), rng, config)

    def prepare(images):
        glimpse_sensor.prepare(images, config.patch_size, config.num_scales)

    def learn(images):
        trajectory = model.rollout(params, images, rng, config)
        reward = reinforce.rewards(trajectory.logits, labels, config.reward)
        R = reinforce.returns_to_go(reward, config.discount)
        advantage = reinforce.advantages(R, trajectory.baseline, config.baseline, 1)
        _, cache = reinforce.hybrid_loss_forward(
            trajectory, labels, R, advantage, config, config.location_std
        )
        model.backward(*reinforce.hybrid_loss_backward(cache), trajectory, config)

    images = compose()
    functions = [compose, lambda: learn(images)]
    if config.model == "ram":
        functions.append(lambda: prepare(images))
    repetitions = max(REPETITIONS, 200 // B)
    seconds = np.array([[_seconds(f) for f in functions] for _ in range(repetitions)])
    scene, learned, *pyramid = 1000 * np.median(seconds[1:], axis=0) / B
    parts = {"total": scene + learned, "scene": scene}
    if pyramid:
        parts |= {"pyramid": pyramid[0], "glimpses": learned - pyramid[0]}
    return {name: round(float(part), 5) for name, part in parts.items()}


def _seconds(function):
    began = time.process_time()
    function()
    return time.process_time() - began


if __name__ == "__main__":
    main(sys.argv[1:])
