"""Search settings at random: python -m ramnp.search --sample learning_rate=log:1e-3:0.1."""

import os
import shlex

from ramnp.learning.config import check_value, field_named, option_name
from ramnp.runs import run_data
from ramnp.runs.options import add_settings, given_settings
from ramnp.study import jobs, trials
from ramnp.support import command_line, signals
from ramnp.support.errors import UserError
from ramnp.support.files import RunLock


def parse(arguments):
    """Return the options of the command."""
    parser = command_line.Parser(
        prog="python -m ramnp.search",
        description="Train agents whose settings are drawn at random, and compare their "
        "validation errors in a table and a figure. The test scenes take no part. The "
        "same command resumes an interrupted search; with more --trials, it adds to it.",
        epilog="All settings of ramnp.train that are not sampled can be given as its "
        "options. --help-all explains them.",
    )
    parser.add_argument(
        "--sample",
        action="append",
        default=[],
        metavar="NAME=HOW",
        help="draw the setting NAME from uniform:a:b, log:a:b (uniform in its "
        "logarithm; integers are rounded) or choice:x,y,z; may be repeated",
    )
    parser.add_number(
        "--trials", "number of trials (default: 20)", 1, 100_000, default=20
    )
    parser.add_argument(
        "--results",
        metavar="DIR",
        help="folder of the trials, the table and the figure (default: runs/search/ and "
        "the task's name)",
    )
    command_line.add_data(parser)
    command_line.add_jobs(parser)
    add_settings(parser, arguments)
    options = parser.parse_args(arguments)
    command_line.check_jobs(options)
    return options


def prepare(options):
    """Return the Search that the options ask for; UserError if it is impossible."""
    fixed = given_settings(options)
    samples = trials.read_samples(options.sample)
    for name in samples:
        if name in fixed and name != "seed":  # without a sample, it is that of all runs
            raise UserError(
                f"--sample {name} and {option_name(name)}: give one of them"
            )
    for name, value in fixed.items():
        check_value(field_named(name), value)
    fixed = {"task": "centered", "recipe": "quick", "seed": 0} | fixed
    folder = options.results or os.path.join("runs", "search", fixed["task"])
    return trials.Search(folder, samples, fixed, options.data)


def main(arguments):
    """Run the command; return its exit code."""
    options = parse(arguments)
    search = prepare(options)
    chosen = [search.trial(number) for number in range(options.trials)]
    impossible = [trial.impossible for trial in chosen]
    if all(impossible):
        raise UserError(f"no trial can be trained: {impossible[0]}")
    search.open()
    with RunLock(search.folder):
        try:
            code, said = do(search, chosen, options)
        except signals.Interrupted as interrupted:
            interrupted.add_note(
                f"and saved; resume with python -m ramnp.search {shlex.join(arguments)}"
            )
            raise
    print(*said, sep="\n")
    return code


def do(search, chosen, options):
    """Do the trials that have not ended; return the exit code, and the last words."""
    left = [trial for trial in chosen if not trial.ended()]
    print(f"trials to do: {len(left)}, done before: {len(chosen) - len(left)}")
    failures = {}

    def ended(trial, outcome):
        certain = outcome.code == 0 or trial.fail(outcome)
        if not certain:
            failures[trial.number] = trials.Ended(trial, reason=outcome.reason)
        search.publish(chosen, failures)
        return str(trial.ended()) if certain else None

    code = 0
    if left:
        run_data.load(left[0].config, options.data)  # download once
        runs = [trial.run for trial in left]
        code = jobs.do(runs, ended, options.jobs, options.scheduler)
    return code, search.publish(chosen, failures)


if __name__ == "__main__":
    command_line.run(main)
