"""Prove every gradient: python -m ramnp.gradient_check."""

import time
from pathlib import Path

from ramnp.support import command_line
from ramnp.support.errors import UserError


def parse(arguments):
    """Return the options of the command."""
    parser = command_line.Parser(
        prog="python -m ramnp.gradient_check",
        description="Prove every gradient: against the complex step, central "
        "differences and PyTorch's numbers; by which network each loss term reaches; "
        "on average over sampled locations; and by planted bugs that must be noticed. "
        "Exits 0 when everything is proved, 1 when anything fails.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--figure", metavar="PATH", type=Path, help="draw what was measured, as a PNG"
    )
    what.add_argument(
        "--planted-bugs",
        action="store_true",
        help="print which proof notices which planted bug instead",
    )
    what.add_argument(
        "--step-sizes",
        action="store_true",
        help="print how wrong differences and the complex step are by step instead",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="S",
        help="draw other points and samples (default: 0)",
    )
    options = parser.parse_args(arguments)
    if options.seed < 0:
        raise UserError(f"--seed {options.seed}: must be at least 0")
    if options.figure and not options.figure.parent.is_dir():
        raise UserError(
            f"--figure {options.figure}: there is no folder {options.figure.parent}; "
            "make it first"
        )
    return options


def main(arguments):
    """Run the command; return its exit code."""
    options = parse(arguments)
    if options.step_sizes:
        from ramnp.proofs import report, step_sizes

        print(report.steps(step_sizes.errors_by_step(seed=options.seed)))
        return 0
    start = time.perf_counter()
    print("Proving every gradient takes a while.", end="\n\n", flush=True)
    if options.planted_bugs:
        failures = print_planted_bugs(options.seed)
    else:
        failures = print_proofs(options.seed, options.figure)
    print("\n".join(failures) or "everything is proved", end=", ")
    print(f"after {time.perf_counter() - start:.0f} s")
    return 1 if failures else 0


def print_proofs(seed, figure=None):
    """Print each table as soon as it is there; return what failed, a line each."""
    from ramnp.proofs import report, suite
    from ramnp.proofs.planted_bugs import BUGS, caught_by

    proofs, rows = {}, []
    for make_proofs, section in (
        (suite.against_oracles, report.gradients),
        (suite.along_paths, report.paths),
        (suite.on_average, report.expectations),
    ):
        made = make_proofs(seed)
        found = suite.rows(made)
        print(section(found), end="\n\n", flush=True)
        proofs |= made
        rows += found
    failures = [report.failure(row) for row in rows if not row.proved]

    missed = [bug for bug in BUGS if not caught_by(bug, proofs, stop_at_first=True)]
    print(f"Planted bugs: {len(BUGS) - len(missed)} of {len(BUGS)} noticed\n")
    failures += [f"FAILED to notice {bug.name} in {bug.place}" for bug in missed]
    if figure:
        draw(rows, seed, figure)
    return failures


def draw(rows, seed, path):
    """Draw the rows, the errors by step and the effect of a baseline."""
    from ramnp.figures.proofs import draw_proofs
    from ramnp.proofs import expectation, report, step_sizes

    errors, limits = report.agent_errors(rows)
    steps = step_sizes.errors_by_step(seed=seed)
    draw_proofs(errors, limits, steps, *expectation.estimates(seed), path)


def print_planted_bugs(seed):
    """Print which proof notices which bug; return what failed, a line each."""
    from ramnp.proofs import report, suite
    from ramnp.proofs.planted_bugs import BUGS, caught_by

    proofs = suite.against_bugs(seed)
    failures = [report.failure(row) for row in suite.rows(proofs) if not row.proved]
    caught = {bug: caught_by(bug, proofs) for bug in BUGS}
    print(report.caught(caught, proofs), end="\n\n")
    return failures + [
        f"FAILED to notice {bug.name} in {bug.place}"
        for bug, names in caught.items()
        if not names
    ]


if __name__ == "__main__":
    command_line.run(main)
