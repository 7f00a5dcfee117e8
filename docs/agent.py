"""Draw agent.gif, the first picture of the README: the agent finds digits in clutter.

    python docs/agent.py [--data DIR]

The agent is the trained one of the task cluttered. The scenes are the first of the test
with four different digits that the agent names wrongly after its first glimpse and
rightly, surely, after its last.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import ramnp
from ramnp.datasets import mnist, scenes
from ramnp.figures import film

TASK = "cluttered"
NUM_SCENES = 4
SURE = 0.95


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of MNIST")
    digits = mnist.load(parser.parse_args(arguments).data)
    draw_agent(digits, ROOT / "docs" / "agent.gif")


def draw_agent(digits, path):
    agent = ramnp.load(TASK)
    images, labels = scenes.frozen_chunk(digits.test, "test", 0, agent.config)
    seen = agent.predict(images)
    chosen = choose(labels, seen)
    seen = type(seen)(*(field[chosen] for field in seen))
    images, labels = images[chosen], labels[chosen]
    film.animate_glimpses(images, labels, seen, agent.config, path, scale=2)


def choose(labels, seen):
    """Return the places of the scenes to show."""
    first = seen.step_probabilities[:, 0].argmax(axis=1)
    sure = seen.probabilities.max(axis=1) > SURE
    turned = np.flatnonzero((first != labels) & (seen.classes == labels) & sure)
    _, earliest = np.unique(labels[turned], return_index=True)
    return turned[np.sort(earliest)[:NUM_SCENES]]


if __name__ == "__main__":
    main(sys.argv[1:])
