"""Fill the paper's tables with our own runs: python -m ramnp.reproduce --table 1a."""

import io
import os
import shlex
import shutil

import numpy as np

from ramnp.datasets import mnist
from ramnp.learning.recipes import TABLES
from ramnp.study import jobs, rows, table
from ramnp.support import command_line, signals
from ramnp.support.errors import UserError
from ramnp.support.files import make_folder, write_atomically

SMOKE = "runs/smoke"
SMOKE_EPOCHS = 2
SMOKE_DIGITS = 2800  # of which 2,000 are for training


def parse(arguments):
    """Return the options of the command."""
    parser = command_line.Parser(
        prog="python -m ramnp.reproduce",
        description="Train the rows of the paper's tables that have no result yet, "
        "resume those that were interrupted, and write results/TABLE.md, "
        "results/glimpses.png and results/cost.png.",
    )
    parser.add_argument(
        "--table",
        choices=(*TABLES, "all"),
        help="1a: centered, 1b: translated, 2a: cluttered, 2b: cluttered-100",
    )
    parser.add_argument(
        "--rows",
        nargs="+",
        metavar="ROW",
        help="rows by their names in TABLE.md, such as ram-6 or best (default: all; "
        "with --smoke one of each kind)",
    )
    parser.add_number(
        "--seeds",
        "train each row with the seeds 0 to N - 1 (default: 1)",
        1,
        1024,
        default=1,
    )
    parser.add_number(
        "--epochs",
        "epochs of each run (default: those of the row's recipe, or of the run that is "
        "resumed)",
        1,
        1024,
    )
    command_line.add_jobs(parser)
    parser.add_argument(
        "--smoke",
        action="store_true",
        help=f"try everything in {SMOKE}, on {SMOKE_DIGITS:,} digits "
        "(default: --table 1a)",
    )
    parser.add_argument(
        "--only-table",
        action="store_true",
        help="train nothing; only rebuild the table and the figures",
    )
    options = parser.parse_args(arguments)
    if options.smoke and options.only_table:
        raise UserError("--smoke and --only-table: give one of them")
    if options.smoke:
        options.table = options.table or "1a"
    if not (options.table or options.only_table):
        raise UserError(
            f"--table is missing: choose one of {', '.join(TABLES)}, all; "
            "or give --only-table"
        )
    command_line.check_jobs(options)
    return options


def main(arguments):
    """Run the command; return its exit code."""
    options = parse(arguments)
    place = rows.Place(os.path.join("runs", "reproduce"), "results")
    if options.only_table:
        print(*_publish(place), sep="\n")
        return 0
    if options.smoke:
        place = smoke_place()
        options.epochs = options.epochs or SMOKE_EPOCHS
    chosen = chosen_jobs(options)
    left = [rows.still_to_do(job, place, options.epochs) for job in chosen]
    left = [job for job in left if job]
    _publish(place)  # fails on damaged results before anything is trained
    print(
        f"runs to do: {len(left)}, done before: {len(chosen) - len(left)}", flush=True
    )
    try:
        code = 0
        if left:
            mnist.load(place.data)  # download once, before several runs need it
            code = jobs.do(*runs_of(left, place), options.jobs, options.scheduler)
    except signals.Interrupted as interrupted:
        if not options.smoke:
            interrupted.add_note(
                "and saved; resume with "
                f"python -m ramnp.reproduce {shlex.join(arguments)}"
            )
        raise
    table_path, *figure_paths = _publish(place)
    print(f"the table: {table_path}\nthe figures: {', '.join(figure_paths)}")
    return code


def _publish(place):
    """Write the table and the figures from the results; return their paths."""
    from ramnp.study import error_by_cost, error_by_glimpses  # load matplotlib

    table_path = table.write_table(place.results)
    figures = error_by_glimpses, error_by_cost
    return table_path, *(figure.draw_figure(place.results) for figure in figures)


def smoke_place():
    """Return a Place with few digits and no runs."""
    runs, results, data = (
        os.path.join(SMOKE, name) for name in ("runs", "results", "digits.npz")
    )
    for folder in (runs, results):
        shutil.rmtree(folder, ignore_errors=True)
    images, labels = (field[:SMOKE_DIGITS] for field in mnist.load().train)
    archive = io.BytesIO()
    np.savez(archive, images=images, labels=labels)
    make_folder(SMOKE)
    write_atomically(data, archive.getvalue())
    return rows.Place(runs, results, data)


def chosen_jobs(options):
    """Return the jobs that the options ask for: for each seed in turn, all rows."""
    tables = [*TABLES] if options.table == "all" else [options.table]
    pairs = [(name, row) for name in tables for row in rows.row_names(name)]
    known = dict.fromkeys(row for _, row in pairs)
    chosen = options.rows or known
    if options.smoke and not options.rows:  # the first row of each kind
        chosen = {row.partition("-")[0]: row for row in reversed(known)}.values()
    for row in chosen:
        if row not in known:
            raise UserError(
                f"--rows {row}: table {options.table} has {', '.join(known)}"
            )
    changes = {"epochs": options.epochs} if options.epochs else {}
    return [
        rows.Job(name, row, rows.row_config(name, row, seed=seed, **changes))
        for seed in range(options.seeds)
        for name, row in pairs
        if row in chosen
    ]


def runs_of(unfinished, place):
    """Return the Runs of the jobs, and what to do when one of them has ended."""

    def run(job):
        folder = os.path.join(place.runs, job.folder)
        options = rows.train_options(job.config, place.data)
        return jobs.Run(job, folder, options, job.config.epochs)

    def ended(job, outcome):
        if outcome.code:
            return None
        numbers = rows.keep_result(job, place).numbers
        _publish(place)
        return (
            f"test error {numbers['test_error']:.2f} %, {job.config.epochs} epochs, "
            f"{numbers['seconds'] / 60:.1f} minutes"
        )

    return [run(job) for job in unfinished], ended


if __name__ == "__main__":
    command_line.run(main)
