"""A run folder, from its first file to the pictures of the trained agent."""

import dataclasses
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from ramnp.datasets import mnist, scenes
from ramnp.figures import curves, film, glimpses
from ramnp.learning import evaluation, trainer
from ramnp.learning.config import Config
from ramnp.learning.recipes import PAPER_ERRORS, TASKS, paper_row
from ramnp.runs import agent_file, state
from ramnp.support import signals
from ramnp.support.errors import CheckpointError, UserError, brief
from ramnp.support.files import RunLock, make_folder, remove_leftovers, write_atomically

CONFIG, CHECKPOINT, BEST = "config.json", "checkpoint.npz", "best.npz"
PICTURES = "curves.png", "glimpses.png", "glimpses.gif"
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
        if not isinstance(data, str | None):
            raise TypeError("not a path")
        config = Config(**fields)
    except FileNotFoundError as error:
        raise UserError(
            f"there is no run in {folder}: leave out --resume, or choose another --run"
        ) from error
    except (
        *(OSError, ValueError, TypeError, KeyError, AttributeError),
        *(RecursionError, UserError),
    ) as error:
        raise CheckpointError(
            f"{path} is damaged: restore it, or start a new run"
        ) from error
    state.check_same_config(path, dataclasses.asdict(config), changes)
    return config, data


def run(config, data, folder, threads, options):
    """Train in a new folder, or go on in it with options.resume.

    The folder is not touched before configuration, data and lock are known to be good.
    """
    path = os.path.join(folder, CHECKPOINT)
    if not options.resume:
        _refuse_if_in_use(folder)
    digits = mnist.load(data, num_classes=config.num_classes)
    for split in digits[:3]:
        scenes.check_sizes(split, config)
    make_folder(folder, "choose another by --run")
    with RunLock(folder):
        if not options.resume:
            _refuse_if_in_use(folder)  # somebody may have been faster
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
            trainer.train(config, digits, folder, now, threads, options.save_every)
            with ThreadPoolExecutor(threads) as pool:
                finish(folder, digits, now, pool)
        except signals.Interrupted as interrupted:
            interrupted.add_note(
                f"after step {now.step:,}: everything is saved; go on with "
                f"python -m ramnp.train --run {folder} --resume"
            )
            raise


def finish(folder, digits, now, pool):
    """Test the best agent, draw the pictures, and say what there is to see."""
    best = os.path.join(folder, BEST)
    agent, row = agent_file.load_with_training(best)
    config = agent.config
    # The agent's file tells what the whole run took, wherever it is carried.
    row |= {
        "seconds": now.history[-1]["seconds"],
        "images_per_second": sum(r["images_per_second"] for r in now.history)
        / len(now.history),
    }
    agent_file.save(best, agent, row)
    result = evaluation.test_result(agent, row, digits, pool, config.rollouts)
    write_atomically(os.path.join(folder, "result.json"), _as_json(result))
    pictures = draw(folder, digits, agent, now.history)
    print(
        f"\n{evaluation.summary(result)}\n"
        f"{_comparison(config)}"
        f"best epoch {row['epoch']} of {config.epochs}, chosen on validation; "
        f"{result['seconds'] / 60:.1f} minutes\n\n"
        f"pictures:  {'  '.join(pictures)}\n"
        f"next:      python -m ramnp.evaluate {folder}\n"
        f"           python -m ramnp.train --task {_next_task(config.task)}"
    )


def draw(folder, digits, agent, history):
    """Draw the curves, and the glimpses if there are any; return the paths."""
    paths = [os.path.join(folder, name) for name in PICTURES]
    curves.draw_curves(history, paths[0], agent.config.task)
    if agent.config.model != "ram":
        return paths[:1]
    images, labels = scenes.frozen_chunk(digits.test, "test", 0, agent.config)
    images, labels = images[:NUM_PICTURED], labels[:NUM_PICTURED]
    seen = agent.predict(images)
    glimpses.draw_glimpses(images, labels, seen, agent.config, paths[1])
    film.animate_glimpses(images, labels, seen, agent.config, paths[2])
    return paths


def _refuse_if_in_use(folder):
    """Refuse a folder with anything in it but what a killed start leaves behind."""
    if not os.path.exists(folder):
        return
    if any(not name.startswith(".") for name in os.listdir(folder)):
        raise UserError(
            f"{folder} exists: go on with it by --resume, "
            "or choose another folder by --run"
        )


def _compare_environment(then, strict):
    """Warn, or refuse if strict, where the last bits may come out otherwise."""
    now = state.environment()
    changed = [
        f"{name.replace('_', ' ')} {brief(then.get(name))} then, {value} now"
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


def _comparison(config):
    """Return a line with the paper's figures, if it has any for such a model."""
    published = PAPER_ERRORS[config.task].get(paper_row(config))
    if not published:
        return ""
    arxiv, nips = published
    nips = "" if nips == "-" else f"; NIPS: {nips} %"
    return f"  {arxiv} %  the paper (arXiv{nips})\n"


def _next_task(task):
    names = list(TASKS)
    return names[(names.index(task) + 1) % len(names)]
