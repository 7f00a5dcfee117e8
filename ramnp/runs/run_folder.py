"""A run folder, from its first file to the pictures of the trained agent."""

import csv
import dataclasses
import io
import json
import os
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ramnp.agent import parameters
from ramnp.datasets import mnist, scenes
from ramnp.learning import evaluation
from ramnp.learning.choices import model_of
from ramnp.learning.config import LARGEST_SIDE, Config
from ramnp.learning.recipes import (
    FROM_DATA,
    PAPER_ERRORS,
    fitted,
    hint,
    make_config,
    paper_row,
)
from ramnp.learning.state import initial
from ramnp.runs import agent_file, resumable, run_data, saved_state
from ramnp.support import process, signals
from ramnp.support.errors import CheckpointError, UserError, brief, damage
from ramnp.support.files import RunLock, make_folder, remove_leftovers, write_atomically

CONFIG, CHECKPOINT, BEST = "config.json", "checkpoint.npz", "best.npz"
RESULT, METRICS = "result.json", "metrics.jsonl"
NUM_PICTURED = 8
MOST_MISTAKES = 100  # among which the surest are drawn


def read_config(folder, changes):
    """Return the configuration and the data path of a run.

    Raises CheckpointError that names the first of `changes` that differs from the run.
    """
    path = os.path.join(folder, CONFIG)
    if not os.path.exists(path):
        raise UserError(
            f"there is no run in {folder}: leave out --resume, or choose another --run"
        )
    message = f"{path} is damaged: restore it, or start a new run"
    with damage(message, CheckpointError), open(path, encoding="utf-8") as file:
        fields = json.load(file)
        data = fields.pop("data")
        fields.pop("data_sha256", None)  # see run_data.recorded
        if not isinstance(data, str | None):
            raise TypeError("not a path")
        config = Config(**fields)
    wanted = dataclasses.asdict(dataclasses.replace(config, **changes))
    saved_state.check_same_config(path, dataclasses.asdict(config), wanted)
    return config, data


def read_run(folder, changes, data=None):
    """Return the configuration and the Digits of a run that is to be resumed.

    `data` is the path of its data if that has moved. Of `changes`, more epochs are the
    only one that may differ.
    """
    same = {name: value for name, value in changes.items() if name != "epochs"}
    config, recorded = read_config(folder, same)
    epochs = changes.get("epochs", config.epochs)
    if epochs < config.epochs:
        raise UserError(
            f"--epochs {epochs}: the run in {folder} has {config.epochs}; give more to "
            "train it longer, or leave the option out"
        )
    config = dataclasses.replace(config, epochs=epochs)
    about = run_data.recorded(folder) or {"sha256": None}
    path = data or run_data.path_of(folder, recorded)
    digits = run_data.load(config, path, about["sha256"])
    run_data.check(folder, digits, about)
    return config, digits


def prepare_run(changes, data=None):
    """Return the configuration and the Digits of a new run with these settings.

    Settings that are wrong for any data are refused before the data is read.
    """
    sizes = {} if changes.get("resize") else dict.fromkeys(FROM_DATA[1:], LARGEST_SIDE)
    digits = run_data.load(make_config(**(sizes | changes)), data)
    return fitted(digits, **changes), digits


def fit(folder, *, data=None, threads=None, resume=False, **settings):
    """Train in a run folder as ramnp.train does; return the agent and its history.

    settings: task, recipe and any other field of Config; resume: resume the run in the
    folder. The history is the list of the rows of metrics.jsonl.
    """
    if resume:
        prepared = read_run(folder, settings, data)
    else:
        refuse_if_in_use(folder)
        prepared = prepare_run(settings, data)
    run(*prepared, folder, threads=threads or process.num_cores(), resume=resume)
    return agent_file.load(folder), read_history(folder)


def read_history(folder):
    """Return the rows of metrics.jsonl in a folder; raises as reading JSON does."""
    with open(os.path.join(folder, METRICS), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def run(
    config,
    digits,
    folder,
    *,
    threads,
    resume=False,
    strict=False,
    save_every=0,
    init_from=None,
    on_row=None,
):
    """Train in a new folder, or resume the run in it; then test and draw the agent.

    A new run starts from the weights of the agent `init_from`, if it is given; on_row is
    called with each row of metrics.
    The folder is not touched before configuration, data and lock are known to be good.
    """
    process.refuse_to_train_in_worker()
    for split in digits[:3]:
        scenes.check_sizes(split, config)
    make_folder(folder, "choose another by --run")
    with RunLock(folder):
        if not resume:
            refuse_if_in_use(folder)  # another process may have been faster
        remove_leftovers(folder)
        path = os.path.join(folder, CHECKPOINT)
        num_images = len(digits.train.labels)
        if resume and os.path.exists(path):
            current, environment = saved_state.load(
                path, config, num_images, digits.sha256
            )
            _compare_environment(environment, strict)
            _lengthen(folder, config, current)
        else:
            current = initial(config, num_images)
            if init_from:
                notes = start_from(current, config, digits, init_from)
                digits = digits._replace(notes=digits.notes + notes)
                saved_state.save(path, current, config, digits.sha256)
            fields = dataclasses.asdict(config) | {
                "data": digits.path,
                "data_sha256": digits.sha256,
            }
            write_atomically(os.path.join(folder, CONFIG), _as_json(fields))
        summary = (
            f"{config.task}, recipe {config.recipe}, seed {config.seed}: "
            f"{current.vector.size:,} parameters, {num_images:,} training images, "
            f"{config.epochs} epochs, into {folder}"
        )
        lines = [summary]
        if not mnist.is_mnist(digits.sha256):
            names = brief(", ".join(digits.class_names))
            lines.append(f"{len(digits.class_names)} classes: {names}")
        covered = hint(config, scenes.compose_shape(digits.test, config))
        lines += [f"note: {note}" for note in (*digits.notes, covered) if note]
        print(*lines, sep="\n", flush=True)
        try:
            resumable.train(
                config, digits, folder, current, threads, save_every, on_row
            )
            with ThreadPoolExecutor(threads) as pool:
                finish(folder, digits, current.history, pool)
        except signals.Interrupted as interrupted:
            interrupted.add_note(
                f"after step {current.step:,}: everything is saved; resume with "
                f"python -m ramnp.train --run {shlex.quote(str(folder))} --resume"
            )
            raise


def _lengthen(folder, config, state):
    """Write a larger number of epochs into a run's configuration, and print a note."""
    path = os.path.join(folder, CONFIG)
    with open(path, encoding="utf-8") as file:
        fields = json.load(file)
    if fields["epochs"] == config.epochs:
        return
    print(
        f"from epoch {state.epoch} of {fields['epochs']} on, this is a run of "
        f"{config.epochs} epochs: step size, location noise and augmentation take the "
        "values that they have there in such a run"
    )
    write_atomically(path, _as_json(fields | {"epochs": config.epochs}))


def start_from(state, config, digits, agent):
    """Put an agent's weights into the state of a new run; return notes on the rest.

    Networks of another shape, and the last layer for other classes, are initialised.
    """
    ours, theirs = model_of(config).shapes(config), parameters.shapes(agent.params)
    fits = {name for name, shapes in ours.items() if theirs.get(name) == shapes}
    if [*digits.class_names] != agent.class_names:
        fits.discard("action")
    params = parameters.views(state.vector, ours)
    parameters.copy_into({name: params[name] for name in fits}, agent.params)
    fresh = [name for name in ours if name not in fits]
    if not fits:
        raise UserError(
            "--init-from: no network of that agent has the shape of one of this run"
        )
    if state.average.size:
        state.average[...] = state.vector
    if not fresh:
        return ()
    return (f"initialised anew, because no weights fit: {', '.join(fresh)}",)


def finish(folder, digits, history, pool):
    """Test the best agent, print the summary and draw the pictures."""
    best = os.path.join(folder, BEST)
    agent, row = agent_file.load_with_training(best)
    # More epochs may have been added since the best one.
    config = dataclasses.replace(agent.config, epochs=len(history))
    agent = agent._replace(config=config)
    # The file may be copied elsewhere, so it holds the time of the whole run.
    speeds = [row["images_per_second"] for row in history]
    row |= {
        "seconds": history[-1]["seconds"],
        "images_per_second": sum(speeds) / len(speeds),
    }
    agent_file.save(best, agent, row)
    result, classes = evaluation.test(agent, row, digits, pool, config.rollouts)
    write_atomically(os.path.join(folder, RESULT), _as_json(result))
    is_mnist = mnist.is_mnist(digits.sha256)
    print(
        f"\n{evaluation.summary(result)}\n"
        f"{_comparison(config) if is_mnist else ''}"
        f"best epoch {row['epoch']} of {config.epochs}, chosen on validation; "
        f"{result['seconds'] / 60:.1f} minutes\n",
        flush=True,
    )
    pictures = draw(folder, digits, agent, history, classes)
    print(f"pictures:  {'  '.join(map(shlex.quote, pictures))}")
    print(f"next:      python -m ramnp.evaluate {shlex.quote(str(folder))}")
    task = _next_task(config.task)
    if is_mnist and not os.path.exists(os.path.join("runs", task)):
        data = f" --data {shlex.quote(digits.path)}" if digits.path else ""
        print(f"           python -m ramnp.train --task {task}{data}")
    elif not is_mnist:
        print(
            f"           python -m ramnp.train --run {shlex.quote(str(folder))} --resume "
            f"--epochs {2 * config.epochs}"
        )


def draw(folder, digits, agent, history, classes):
    """Draw curves, confusions, glimpses and mistakes, if any; return the paths.

    classes (N,): the predicted classes of the test images; confusion.csv counts them.
    A picture that does not fit into memory or on the disk is a warning.
    """
    # matplotlib takes as long to load as everything else
    from ramnp.figures import confusion, curves, film, glimpses

    def scene():
        images, labels = scenes.frozen_chunk(digits.test, "test", 0, agent.config)
        images, labels = images[:NUM_PICTURED], labels[:NUM_PICTURED]
        seen = agent.predict(images, prepared=True)
        return images, labels, seen, agent.config

    def mistakes(path):
        wrong = np.flatnonzero(classes != digits.test.labels)[:MOST_MISTAKES]
        chunks, places = np.divmod(wrong, scenes.FROZEN_CHUNK)
        parts = []
        for chunk in np.unique(chunks):
            start = chunk * scenes.FROZEN_CHUNK
            part = scenes.frozen_chunk(digits.test, "test", start, agent.config)
            parts.append([array[places[chunks == chunk]] for array in part])
        images, labels = map(np.concatenate, zip(*parts))
        seen = agent.predict(images, prepared=True)
        glimpses.draw_mistakes(images, labels, seen, agent.config, path, names)

    names = agent.class_names
    counts = evaluation.confusion(digits.test.labels, classes, len(names))
    rows = [
        ["true \\ predicted", *names],
        *([n, *row] for n, row in zip(names, counts)),
    ]
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(rows)
    write_atomically(os.path.join(folder, "confusion.csv"), table.getvalue())
    pictures = {
        "curves.png": lambda path: curves.draw_curves(history, path, agent.config.task),
        "confusion.png": lambda path: confusion.draw_confusion(counts, names, path),
    }
    if agent.config.model == "ram":
        pictures |= {
            "glimpses.png": lambda path: glimpses.draw_glimpses(*scene(), path, names),
            "glimpses.gif": lambda path: film.animate_glimpses(*scene(), path, names),
        }
        if (classes != digits.test.labels).any():
            pictures["mistakes.png"] = mistakes
    drawn = []
    for name, draw_picture in pictures.items():
        path = os.path.join(folder, name)
        try:
            draw_picture(path)
        except (UserError, OSError, MemoryError) as error:
            reason = str(error) or "not enough memory"
            print(f"warning: {name} is not drawn: {reason}", file=sys.stderr)
        else:
            drawn += [path] if os.path.exists(path) else []
    return drawn


def refuse_if_in_use(folder):
    """Refuse a folder that holds more than the hidden files of a killed start."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(
            f"cannot use the folder {folder}: {error.strerror}; choose another by --run"
        ) from error
    if any(not name.startswith(".") for name in names):
        raise UserError(
            f"{folder} exists: resume its run with --resume, "
            "or choose another folder with --run"
        )


def _compare_environment(saved, strict):
    """Warn of (or, if strict, refuse) an environment that may change the last bits."""
    changed = [
        f"{name.replace('_', ' ')} {brief(saved.get(name))} then, {value} now"
        for name, value in saved_state.environment().items()
        if saved.get(name) != value
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
    """Return a line with the paper's errors, or "" if it has none for this model."""
    published = PAPER_ERRORS.get(config.task, {}).get(paper_row(config))
    if not published:
        return ""
    arxiv, nips = published
    nips = "" if nips == "-" else f"; NIPS: {nips} %"
    return f"  {arxiv} %  the paper (arXiv{nips})\n"


def _next_task(task):
    names = [*PAPER_ERRORS]
    return names[(names.index(task) + 1) % len(names) if task in names else 0]
