"""Training that may be stopped or killed at any moment, and resumed."""

import contextlib
import json
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

from tqdm import tqdm

from ramnp.learning import trainer as training
from ramnp.learning.predictor import describe_data
from ramnp.runs import agent_file, saved_state
from ramnp.runs.workers import Workers
from ramnp.support import process, signals
from ramnp.support.errors import WorkerError
from ramnp.support.files import write_atomically


def train(config, digits, folder, state, threads=1, save_every=0, on_row=None):
    """Run the epochs that are left; save into the run folder after each.

    The state is also saved every save_every steps if that is not 0, and when a signal
    or the loss of a worker stops the run; then signals.Interrupted or WorkerError is
    raised. threads, the number of cores to use, does not affect results. on_row is
    called with each row of metrics.
    """
    with (
        signals.held_back() as stop_if_asked,
        ThreadPoolExecutor(threads) as pool,
        Workers(threads, config, digits.train, state.vector) as workers,
        contextlib.closing(
            _Saving(config, digits, folder, state, save_every, stop_if_asked, on_row)
        ) as hooks,
    ):
        trainer = training.Trainer(config, digits.train, state, workers, pool.map)
        try:
            training.train(trainer, digits.valid, pool, hooks)
        except signals.Interrupted:
            hooks.save()
            raise
        except WorkerError as error:
            hooks.save()
            raise WorkerError(
                f"{error}; everything is saved after step {state.step:,}, resume with "
                "--resume"
            ) from error


class _Saving(training.Hooks):
    """Saves the state and shows progress: a bar on a terminal, else a line per epoch."""

    def __init__(
        self, config, digits, folder, state, save_every, stop_if_asked, on_row
    ):
        self._config, self._folder, self._state = config, folder, state
        self._about = describe_data(digits, config)
        self._save_every, self._stop_if_asked = save_every, stop_if_asked
        self._on_row, self._bar = on_row, None

    def save(self):
        """Write the checkpoint."""
        path = os.path.join(self._folder, "checkpoint.npz")
        saved_state.save(path, self._state, self._config, self._about["sha256"])

    def before_step(self, trainer):
        """Raise Interrupted if a signal has been received."""
        self._bar = self._bar or progress_bar(trainer)
        self._stop_if_asked()

    def after_step(self, trainer):
        """Show the progress, and save if it is time to."""
        self._bar.set_postfix_str(describe(trainer), refresh=False)
        self._bar.update()
        if self._save_every and self._state.step % self._save_every == 0:
            self.save()

    def after_epoch(self, trainer, agent, row, is_best):
        """Write best.npz, metrics.jsonl and the checkpoint."""
        words = describe(trainer, row)
        if self._bar.disable and process.SUPERVISED not in os.environ:
            done = f"epoch {row['epoch']}/{self._config.epochs}"
            print(f"{done}: {words}", file=sys.stderr, flush=True)
        self._bar.set_postfix_str(words)
        self.close()
        if is_best:
            agent = agent._replace(data=self._about)
            agent_file.save(os.path.join(self._folder, "best.npz"), agent, row)
        lines = "".join(json.dumps(row) + "\n" for row in self._state.history)
        write_atomically(os.path.join(self._folder, "metrics.jsonl"), lines)
        self.save()
        if self._on_row:
            self._on_row(row)

    def close(self):
        """Close the progress bar; the next step opens another."""
        if self._bar:
            self._bar.close()
        self._bar = None


def progress_bar(trainer):
    """Return the progress bar of the current epoch, disabled without a terminal."""
    state, epochs = trainer.state, trainer.config.epochs
    # Some containers report a terminal of 0 columns, on which a bar is a blank line.
    columns, _ = shutil.get_terminal_size((0, 0))
    return tqdm(
        total=trainer.steps_per_epoch,
        initial=state.position,
        desc=f"epoch {state.epoch + 1}/{epochs}",
        disable=not (sys.stderr.isatty() and columns),
        bar_format="{desc} {percentage:3.0f}% |{bar:8}| {postfix}",
    )


def describe(trainer, row=None):
    """Return the errors, speed and time left; row is the epoch's once it is over.

    With the bar before it, it fits a terminal of 80 columns.
    """
    sums = trainer.state.sums
    left = trainer.state.seconds * (1 / trainer.progress - 1)
    if row:
        errors = f"valid {row['valid_error']:.2f} %, train {row['train_error']:.2f} %"
    else:
        errors = (
            f"train {100 * sums['wrong'] / sums['rows']:.2f} %, "
            f"{sums['images'] / sums['seconds']:,.0f} images/s"
        )
    return f"{errors}, {tqdm.format_interval(left)} left"
