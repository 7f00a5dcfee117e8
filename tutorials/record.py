"""Record how a path forms: python -m tutorials.record (six minutes of one core).

Trains an agent on cluttered scenes of all of MNIST, and writes path.npz, which
chapter 9 draws: at some steps of the first epoch and after each epoch, where the agent
looks in 100 test scenes of digits.npz, and its errors on 1,000 of them, each look drawn,
or at the policy's mean.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ramnp.datasets import mnist, scenes
from ramnp.learning import evaluation, state
from ramnp.learning.recipes import make_config
from ramnp.learning.trainer import Trainer

HERE = Path(__file__).parent
FIRST = (0, 50, 100, 200, 300)  # steps of the first epoch that are recorded, too


def record(digits, test, config, first=FIRST):
    """Train; yield {name: array}, with an entry more after each recorded step."""
    images, _ = scenes.frozen_chunk(test, "test", 0, config)
    now = state.initial(config, len(digits.train.labels))
    trainer = Trainer(config, digits.train, now)
    rows = []
    names = "step", "sampled_error", "deterministic_error", "locations"
    with ThreadPoolExecutor(1) as pool:

        def so_far():
            agent = trainer.agent
            sampled = evaluation.count_errors(agent, test, "test", pool)
            settled = evaluation.count_errors(
                agent, test, "test", pool, deterministic=True
            )
            seen = agent.predict(images[:100], deterministic=True)
            locations = seen.locations.astype(np.float16)
            rows.append((now.step, sampled.error, settled.error, locations))
            return {name: np.array(values) for name, values in zip(names, zip(*rows))}

        while now.epoch < config.epochs:
            while now.position < trainer.steps_per_epoch:
                if now.step in first:
                    yield so_far()
                trainer.step()
            trainer.end_epoch(
                evaluation.count_errors(trainer.agent, test, "test", pool)
            )
            yield so_far()


def main():
    """Write path.npz beside this file."""
    from tutorials.common import ADAM  # which sets the style of all pictures

    # The path forms slowly enough to watch.
    slowly = ADAM | {
        "first_glimpse": "center",
        "discount": 0.5,
        "hg_size": 128,
        "learning_rate": 2e-3,
        "average_decay": 0.998,
        "batch_size": 128,
        "epochs": 20,
    }
    digits, test = mnist.load("data"), mnist.load(HERE / "digits.npz").test
    for found in record(digits, test, make_config("cluttered", "quick", **slowly)):
        np.savez_compressed(HERE / "path.npz", **found)
        step, error = found["step"][-1], found["sampled_error"][-1]
        print(f"step {step}: {error:.1f} % wrong", flush=True)


if __name__ == "__main__":
    main()
