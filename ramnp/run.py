"""A run folder, from its first file to the pictures of the trained agent."""

import dataclasses
import json
import os
import sys

from ramnp import agent as agents
from ramnp import evaluation, figures, state, training
from ramnp.config import Config
from ramnp.datasets import mnist, scenes
from ramnp.errors import CheckpointError, UserError
from ramnp.files import RunLock, remove_leftovers, write_atomically

CONFIG, CHECKPOINT, BEST = "config.json", "checkpoint.npz", "best.npz"
NUM_PICTURED = 8


def read_config(folder, changes):
    """Return the configuration and the data path of a run that is to be resumed.

    Raises CheckpointError naming the first of `changes` that differs from it.
    """
    path = os.path.join(folder, CONFIG)
    try:
        with open(path, encoding="utf-8") as file:
            fields = json.load(file)
        data = fields.pop("data")
        config = Config(**fields)
    except FileNotFoundError as error:
        raise UserError(
            f"there is no run in {folder}: leave out --resume, or choose another --run"
        ) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is damaged: restore it, or start a new run"
        ) from error
    state.check_same_config(path, fields, changes)
    return config, data


def run(config, data, folder, pool, options):
    """Train in a new folder, or go on in it with options.resume; return the exit code.

    The folder is not touched before configuration, data and lock are known to be good.
    """
    path = os.path.join(folder, CHECKPOINT)
    if not options.resume and os.path.exists(folder) and os.listdir(folder):
        raise UserError(
            f"{folder} exists: go on with it by --resume, "
            "or choose another folder by --run"
        )
    digits = mnist.load(data, num_classes=config.num_classes)
    for split in digits[:3]:
        scenes.check_sizes(split, config)
    _make_folder(folder)
    with RunLock(folder):
        remove_leftovers(folder)
        num_images = len(digits.train.labels)
        if options.resume and os.path.exists(path):
            now, then = state.load(path, config, num_images, digits.sha256)
            _compare_environment(then, options.strict)
        else:
            now = state.initial(config, num_images)
            fields = dataclasses.asdict(config) | {"data": data}
            write_atomically(os.path.join(folder, CONFIG), _as_json(fields))
        print(
            f"{config.task}, recipe {config.recipe}, seed {config.seed}: "
            f"{now.vector.size:,} parameters, {num_images:,} training images, "
            f"{config.epochs} epochs, into {folder}",
            flush=True,
        )
        try:
            training.train(config, digits, folder, now, pool, options.save_every)
        except training.Interrupted as interrupted:
            print(
                f"interrupted after step {now.step:,}: everything is saved; go on with "
                f"python -m ramnp.train --run {folder} --resume",
                file=sys.stderr,
            )
            return interrupted.exit_code
        finish(folder, digits, now, pool)
    return 0


def finish(folder, digits, now, pool):
    """Test the best agent, draw the pictures, and say what there is to see."""
    best = os.path.join(folder, BEST)
    agent, row = agents.load_with_training(best)
    config = agent.config
    # The agent's file tells what the whole run took, wherever it is carried.
    row |= {
        "seconds": now.history[-1]["seconds"],
        "images_per_second": sum(r["images_per_second"] for r in now.history)
        / len(now.history),
    }
    agents.save_agent(best, agent, row)
    result = evaluation.test_result(agent, row, digits, pool, config.rollouts)
    write_atomically(os.path.join(folder, "result.json"), _as_json(result))
    draw(folder, digits, agent, now.history)
    print(
        f"\n{evaluation.summary(result)}\n"
        f"best epoch {row['epoch']} of {config.epochs}, chosen on validation; "
        f"{result['seconds'] / 60:.1f} minutes\n\n"
        f"pictures:  {folder}/curves.png  {folder}/glimpses.png  "
        f"{folder}/glimpses.gif\n"
        f"next:      python -m ramnp.evaluate {folder}\n"
        f"           python -m ramnp.train --task {_next_task(config.task)}"
    )


def draw(folder, digits, agent, history):
    """Draw the curves, and the paths of glimpses at a few test scenes."""
    figures.draw_curves(history, os.path.join(folder, "curves.png"), agent.config.task)
    images, labels = scenes.frozen_chunk(digits.test, "test", 0, agent.config)
    images, labels = images[:NUM_PICTURED], labels[:NUM_PICTURED]
    seen = agent.predict(images)
    for draw_one, name in (
        (figures.draw_glimpses, "glimpses.png"),
        (figures.animate_glimpses, "glimpses.gif"),
    ):
        draw_one(images, labels, seen, agent.config, os.path.join(folder, name))


def _make_folder(folder):
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make the run folder {folder}: {error.strerror}; "
            "choose another by --run"
        ) from error


def _compare_environment(then, strict):
    """Warn, or refuse if strict, where the last bits may come out otherwise."""
    now = state.environment()
    changed = [
        f"{name.replace('_', ' ')} {then.get(name)} then, {value} now"
        for name, value in now.items()
        if then.get(name) != value
    ]
    if not changed:
        return
    message = f"the last bits may differ from the interrupted run: {'; '.join(changed)}"
    if strict:
        raise UserError(f"{message}; resume where it began, or leave out --strict")
    print(f"warning: {message}", file=sys.stderr)


def _as_json(fields):
    return json.dumps(fields, indent=2) + "\n"


def _next_task(task):
    from ramnp.tasks import TASKS

    names = list(TASKS)
    return names[(names.index(task) + 1) % len(names)]
