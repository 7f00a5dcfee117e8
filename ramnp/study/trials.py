"""The trials of a random search: settings drawn at random, their runs, their results."""

import json
import math
import os
import shlex
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from ramnp.learning.config import check_value, field_named, option_name
from ramnp.learning.recipes import make_config
from ramnp.runs import run_folder
from ramnp.runs.options import as_options
from ramnp.study import jobs
from ramnp.support.errors import DivergenceError, UserError, damage
from ramnp.support.files import make_folder, write_atomically

SEARCH, TABLE, FIGURE, FAILED = "search.json", "TRIALS.md", "trials.png", "failed.txt"
_HEAD = "trial", "validation error", "deterministic - sampled", "epoch", "minutes"
_KINDS = "NAME=uniform:a:b, NAME=log:a:b or NAME=choice:x,y,z"


class Sample(NamedTuple):
    """The distribution of a setting: its ends, or the values to choose from."""

    kind: str  # uniform, log or choice
    values: tuple

    def __str__(self):
        between = "," if self.kind == "choice" else ":"
        return f"{self.kind}:{between.join(map(_word, self.values))}"

    @property
    def scale(self):
        """What draw_trials takes: linear, log, or the values to choose from."""
        choices = [*self.values]
        return {"uniform": "linear", "log": "log", "choice": choices}[self.kind]

    def draw(self, rng, as_type):
        """Return a value; numbers drawn for an integer setting are rounded."""
        if self.kind == "choice":
            return self.values[rng.integers(len(self.values))]
        low, high = self.values
        if self.kind == "log":
            distribution = stats.loguniform(low, high)
        else:
            distribution = stats.uniform(low, high - low)
        number = distribution.rvs(random_state=rng)
        return round(number) if as_type is int else float(number)


def read_samples(texts):
    """Return {field: Sample} of options such as learning_rate=log:3e-4:0.03."""
    if not texts:
        raise UserError(f"--sample is missing: give {_KINDS}")
    samples = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        kind, colon, rest = rest.partition(":")
        if not (equals and colon) or kind not in ("uniform", "log", "choice"):
            raise UserError(f"--sample {text}: give {_KINDS}")
        try:
            spec = field_named(name)
            if spec.name in samples:
                raise UserError(f"{spec.name} is sampled twice")
            samples[spec.name] = _read_sample(spec, kind, rest)
        except UserError as error:
            raise UserError(f"--sample {text}: {error}") from error
    return samples


def _read_sample(spec, kind, text):
    if kind == "choice":
        values = tuple(_read_value(spec, word) for word in text.split(","))
        if len({*values}) < len(values):
            raise UserError("a choice is given twice")
        return Sample(kind, values)
    if spec.type not in (int, float):
        raise UserError(f"{spec.name} is no number: give choice:x,y,z")
    ends = text.split(":")
    if len(ends) != 2:
        raise UserError(f"give {kind}:a:b")
    low, high = (_read_number(end) for end in ends)
    if not low < high:
        raise UserError(f"{low:g} is not less than {high:g}")
    if kind == "log" and low <= 0:
        raise UserError(f"the logarithm of {low:g} does not exist: start above 0")
    for end in (low, high):
        check_value(spec, round(end) if spec.type is int else end)
    return Sample(kind, (low, high))


def _read_number(word):
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{word!r} is no number")
    return number


def _read_value(spec, word):
    """Return the value of a setting that a word means; UserError if it has none."""
    try:
        if spec.type is bool:
            value = {"true": True, "false": False}[word]
        else:
            value = spec.type(word)
    except (KeyError, ValueError) as error:
        kind = {bool: "true or false", int: "a whole number"}.get(spec.type, "a number")
        raise UserError(f"{word!r} is not {kind}") from error
    check_value(spec, value)
    return value


class Search(NamedTuple):
    """A random search: what is sampled, what is fixed, and the folder of its results."""

    folder: str
    samples: dict  # {field: Sample}
    fixed: dict  # {field: value}, with task, recipe and seed
    data: str | None = None  # the option --data

    def trial(self, number):
        """Return the Trial of this number, which depends on the seed and it alone."""
        rng = np.random.default_rng([self.fixed["seed"], number])
        drawn = {
            name: self.samples[name].draw(rng, field_named(name).type)
            for name in sorted(self.samples)
        }
        return Trial(self, number, drawn)

    def open(self):
        """Make the folder; UserError if it holds another search, or something else."""
        path = Path(self.folder, SEARCH)
        ours = {f"--sample {name}": f"{self.samples[name]}" for name in self.samples}
        ours |= {option_name(name): value for name, value in self.fixed.items()}
        ours["--data"] = self.data
        advice = "choose another folder by --results"
        if path.exists():
            with damage(f"{path} is damaged: {advice}"):
                theirs = json.loads(path.read_text("utf-8"))
                other = [n for n in theirs | ours if theirs.get(n) != ours.get(n)]
            if other:
                name = other[0]
                raise UserError(
                    f"{self.folder} holds a search with {name} {theirs.get(name)}, not "
                    f"{ours.get(name)}: repeat its options, or {advice}"
                )
        elif os.path.isdir(self.folder) and os.listdir(self.folder):
            raise UserError(f"{self.folder} holds something else: {advice}")
        else:
            make_folder(self.folder, advice)
            write_atomically(path, json.dumps(ours, indent=2) + "\n")

    def publish(self, trials, failures):
        """Write the table and the figure of the trials that have ended.

        failures: {number: Ended} of those that may end otherwise another time. Returns
        lines about the files and the best trial.
        """
        from ramnp.figures.trials import draw_trials  # loads matplotlib

        over = [trial.ended() or failures.get(trial.number) for trial in trials]
        over = sorted(filter(None, over), key=lambda ended: ended.error)
        what = (
            f"{len(over)} of {len(trials)} trials, sorted by their lowest validation "
            "error (%, one rollout per scene). Written by `python -m ramnp.search`; do "
            "not edit.\n"
        )
        lines = [
            "# Random search\n",
            what,
            _line(*_HEAD, *self.samples, "note"),
            _line(*["---"] * (len(_HEAD) + len(self.samples) + 1)),
            *(ended.line for ended in over),
        ]
        table, figure = (os.path.join(self.folder, name) for name in (TABLE, FIGURE))
        said = [f"the table: {table}", f"the figure: {figure}"]
        if over and over[0].best:
            command = f"python -m ramnp.train {shlex.join(over[0].trial.options)}"
            lines.append(f"\nThe best trial again: `{command}`")
            said.append(f"the best, {over[0].trial}, {over[0]}: {command}")
        write_atomically(table, "\n".join(lines) + "\n")
        panels = {
            name: ([ended.trial.drawn[name] for ended in over], sample.scale)
            for name, sample in self.samples.items()
        }
        draw_trials(panels, [ended.error for ended in over], figure)
        return said


class Trial(NamedTuple):
    """One run of a search."""

    search: Search
    number: int
    drawn: dict  # {field: value}

    def __str__(self):
        return f"trial {self.number}"

    @property
    def folder(self):
        """Its run folder."""
        return os.path.join(self.search.folder, f"trial-{self.number:03}")

    @property
    def options(self):
        """The options of ramnp.train that repeat it."""
        data = ["--data", self.search.data] if self.search.data else []
        return as_options(self.search.fixed | self.drawn) + data

    @property
    def config(self):
        """Its configuration; raises UserError if its settings exclude each other."""
        return make_config(**self.search.fixed | self.drawn)

    @property
    def impossible(self):
        """Why its settings exclude each other, or None."""
        try:
            self.config  # noqa: B018
        except UserError as error:
            return str(error)
        return None

    @property
    def run(self):
        """Its Run."""
        return jobs.Run(self, self.folder, self.options, self.config.epochs)

    def fail(self, outcome):
        """Keep the reason of a failure if it is certain; return whether it is.

        A run that diverged would do so again, and one that did not begin has unusable
        settings. Any other failure may be one of the machine.
        """
        begun = os.path.exists(os.path.join(self.folder, run_folder.CONFIG))
        certain = outcome.code == DivergenceError.exit_code or not begun
        if certain:
            make_folder(self.folder)
            write_atomically(os.path.join(self.folder, FAILED), outcome.reason + "\n")
        return certain

    def ended(self):
        """Return its Ended, or None if it is still to do."""
        if reason := self.impossible:
            return Ended(self, reason=reason)
        failed = Path(self.folder, FAILED)
        result = Path(self.folder, run_folder.RESULT)
        with damage(f"{self.folder} is damaged: remove it to train the trial again"):
            if failed.exists():
                return Ended(self, reason=failed.read_text("utf-8"))
            if not result.exists():
                return None
            history = run_folder.read_history(self.folder)
            best = min(history, key=lambda row: row["valid_error"])
            return Ended(self, best, history[-1]["seconds"] / 60)


class Ended(NamedTuple):
    """A trial that has ended: its best row of metrics, or why there is none."""

    trial: Trial
    best: dict | None = None
    minutes: float = 0.0
    reason: str = ""

    def __str__(self):
        if self.best:
            return f"validation error {self.error:.2f} %"
        return " ".join(self.reason.removeprefix("error: ").split())

    @property
    def error(self):
        """The lowest validation error in percent; infinite without a result."""
        return self.best["valid_error"] if self.best else math.inf

    @property
    def line(self):
        """Its line of the table."""
        numbers, note = [""] * (len(_HEAD) - 1), f"{self}".replace("|", "\\|")
        if self.best:
            gap, epoch = self.best["deterministic_minus_sampled"], self.best["epoch"]
            numbers = f"{self.error:.2f}", f"{gap:+.2f}", epoch, f"{self.minutes:.1f}"
            note = ""
        drawn = self.trial.drawn
        settings = [_word(drawn[name], ".4g") for name in self.trial.search.samples]
        return _line(self.trial.number, *numbers, *settings, note)


def _line(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def _word(value, form=""):
    """Return a value as options spell it, or a number in another form."""
    if isinstance(value, float):
        return format(value, form)
    return str(value).lower() if isinstance(value, bool) else str(value)
