"""Fill the paper's tables with runs of ours: python -m ramnp.reproduce --table 1a."""

import concurrent.futures
import io
import os
import shlex
import shutil
import sys

from ramnp.learning.recipes import TABLES
from ramnp.support import command_line, signals
from ramnp.support.errors import UserError

ATTEMPTS = 3  # at a run that is killed time and again
SMOKE = "runs/smoke"
SMOKE_EPOCHS = 2
SMOKE_DIGITS = 2800  # of which 2,000 are for training


def parse(arguments):
    """Return the options of the command."""
    parser = command_line.Parser(
        prog="python -m ramnp.reproduce",
        description="Train the rows of the paper's tables that have no result yet, go "
        "on with those that were interrupted, and write results/TABLE.md and "
        "results/glimpses.png.",
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
        help="rows by their names in TABLE.md, as ram-6 or best (default: all; with "
        "--smoke one of each kind)",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        default=1,
        metavar="N",
        help="train each row with the seeds 0 to N - 1 (default: 1)",
    )
    parser.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="epochs of each run (default: as the row's recipe says, or as many as "
        "the run was begun with)",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="runs at a time, each a process that has its share of the cores and one "
        f"BLAS thread a core (default: one per core, {_cores()} here)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="have the runs done by the workers of a Dask cluster, one thread each; "
        "they need the same files under the same paths",
    )
    parser.add_argument(
        "--smoke",
        action="store_true",
        help=f"try the whole path in {SMOKE}, on {SMOKE_DIGITS:,} digits "
        "(default: --table 1a)",
    )
    parser.add_argument(
        "--only-table",
        action="store_true",
        help="train nothing, make the table and the figure from what is there",
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
    if options.jobs and options.scheduler:
        raise UserError(
            "--jobs and --scheduler: give one of them, a cluster has its own"
        )
    for name in ("seeds", "epochs", "jobs"):
        number = getattr(options, name)
        if number is not None and not 1 <= number <= 1024:
            raise UserError(f"--{name} {number}: must be between 1 and 1024")
    return options


def main(arguments):
    """Run the command; return its exit code."""
    options = parse(arguments)
    from ramnp.study import rows

    place = rows.Place(os.path.join("runs", "reproduce"), "results")
    if options.only_table:
        print(*_publish(place), sep="\n")
        return 0
    if options.smoke:
        place = smoke_place()
        options.epochs = options.epochs or SMOKE_EPOCHS
    jobs = chosen_jobs(options)
    left = [rows.still_to_do(job, place, options.epochs) for job in jobs]
    left = [job for job in left if job]
    _publish(place)  # or say what is damaged, before anything is trained
    print(f"runs to do: {len(left)}, done before: {len(jobs) - len(left)}", flush=True)
    try:
        code = do(left, place, options) if left else 0
    except signals.Interrupted as interrupted:
        if not options.smoke:
            interrupted.add_note(
                "and saved; go on with "
                f"python -m ramnp.reproduce {shlex.join(arguments)}"
            )
        raise
    table, figure = _publish(place)
    print(f"the table: {table}\nthe figure: {figure}")
    return code


def _publish(place):
    """Make all that is made from results; return the paths."""
    from ramnp.study import error_by_glimpses, table

    table = table.write_table(place.results)
    return table, error_by_glimpses.draw_figure(place.results)


def smoke_place():
    """Return a Place with a few digits, and nothing done yet."""
    import numpy as np

    from ramnp.datasets import mnist
    from ramnp.study import rows
    from ramnp.support.files import make_folder, write_atomically

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
    """Return the jobs that the options ask for, each seed of all rows in its turn."""
    from ramnp.study import rows

    tables = [*TABLES] if options.table == "all" else [options.table]
    names_of = {table: rows.row_names(table) for table in tables}
    known = {
        row: None for names in names_of.values() for row in names
    }  # in their order
    if options.rows is None and options.smoke:
        first_of_kind = {row.partition("-")[0]: row for row in reversed(known)}
        options.rows = [*first_of_kind.values()]
    for row in options.rows or ():
        if row not in known:
            raise UserError(
                f"--rows {row}: table {options.table} has {', '.join(known)}"
            )
    changes = {"epochs": options.epochs} if options.epochs else {}
    return [
        rows.Job(table, row, rows.row_config(table, row, seed=seed, **changes))
        for seed in range(options.seeds)
        for table, names in names_of.items()
        for row in names
        if options.rows is None or row in options.rows
    ]


def do(jobs, place, options):
    """Do the jobs; return 0, or the exit code of the first that failed."""
    from ramnp.datasets import mnist
    from ramnp.study.jobs import dask_executor, local_executor

    mnist.load(place.data)  # fetched once, before several runs at once need it
    count = min(options.jobs or _cores(), len(jobs))
    if options.scheduler:
        opened, threads = dask_executor(options.scheduler), 1
    else:
        opened, threads = local_executor(count), max(1, _cores() // count)
    with opened as (executor, stop):
        return do_with(executor, stop, jobs, place, threads)


def do_with(executor, stop, jobs, place, threads):
    """Do the jobs as an executor finds time; return as `do` does."""
    from tqdm import tqdm

    from ramnp.study import rows
    from ramnp.study.jobs import POLL, supervise

    def submit(job):
        settings = rows.train_options(job.config, place.data)
        return executor.submit(
            supervise,
            [*settings, "--threads", str(threads)],
            os.path.join(place.runs, job.folder),
            os.getcwd(),
            stop,
        )

    code, running = 0, {}
    progress = tqdm(
        total=sum(job.config.epochs for job in jobs),
        initial=rows.epochs_done(jobs, place),
        unit="epoch",
        disable=None,
    )
    with progress as bar, signals.held_back() as stop_if_asked:
        running |= {submit(job): (job, 1) for job in jobs}
        while running:
            stop_if_asked()
            ended, _ = concurrent.futures.wait(
                running, POLL, concurrent.futures.FIRST_COMPLETED
            )
            for future in ended:
                job, attempt = running.pop(future)
                outcome = future.result()
                if outcome.code == 0:
                    result = rows.keep_result(job, place)
                    _publish(place)
                    bar.write(
                        f"{job}: test error {result.figures['test_error']:.2f} %, "
                        f"{job.config.epochs} epochs, "
                        f"{result.figures['seconds'] / 60:.1f} minutes"
                    )
                elif outcome.was_stopped and attempt < ATTEMPTS:
                    bar.write(f"{job}: its process was killed; it goes on")
                    running[submit(job)] = job, attempt + 1
                else:
                    code = code or max(outcome.code, 1)
                    words = outcome.complaint or f"killed {ATTEMPTS} times"
                    bar.write(f"{job}: {words}", file=sys.stderr)
                sys.stdout.flush()
            if not bar.disable:
                bar.n = rows.epochs_done(jobs, place)
                bar.set_postfix_str(f"{len(running)} runs left")
    return code


def _cores():
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


if __name__ == "__main__":
    command_line.run(main)
