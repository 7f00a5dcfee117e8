"""Prove every gradient: python -m ramnp.gradient_check."""

import subprocess
import sys
import time
from pathlib import Path

from ramnp.proofs import expectation, planted_bugs, report, step_sizes, suite
from ramnp.support import command_line
from ramnp.support.errors import UserError

CHECKOUT = Path(__file__).parents[1]


def parse(arguments):
    """Return the options of the command."""
    parser = command_line.Parser(
        prog="python -m ramnp.gradient_check",
        description="Prove every gradient: against the complex step, central "
        "differences and PyTorch's numbers; by which network each loss term reaches; "
        "on average over sampled locations; and by planting bugs that some proof must notice. "
        "Exits 0 when everything is proved, 1 when anything fails.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--figure",
        metavar="PATH",
        type=Path,
        help="also draw the measurements, as a PNG",
    )
    what.add_argument(
        "--planted-bugs",
        action="store_true",
        help="print which proof, or test, notices which planted bug instead",
    )
    what.add_argument(
        "--step-sizes",
        action="store_true",
        help="print the error of differences and of the complex step for each step instead",
    )
    parser.add_number(
        "--seed",
        "seed of the points and samples (default: 0)",
        0,
        default=0,
        metavar="S",
    )
    options = parser.parse_args(arguments)
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
    """Print each table as soon as it is computed; return the failures, a line each."""
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
    caught = planted_bugs.caught(proofs, stop_at_first=True)
    noticed = sum(map(bool, caught.values()))
    print(f"Planted bugs: {noticed} of {len(caught)} noticed\n")
    if figure:
        draw(rows, seed, figure)
    return report.failures(rows, caught)


def print_planted_bugs(seed):
    """Print which proof notices which bug; return the failures, a line each."""
    proofs = suite.against_bugs(seed)
    rows, caught = suite.rows(proofs), planted_bugs.caught(proofs)
    print(report.caught(caught, proofs), end="\n\n", flush=True)
    return report.failures(rows, caught) + print_bugs_in_the_wiring()


def print_bugs_in_the_wiring():
    """Print which test notices which bug outside of the formulas; return the failures.

    It takes a checkout, with its tests, and several minutes.
    """
    if not (CHECKOUT / "tests" / "planted_bugs.py").exists():
        return []
    command = [sys.executable, "-m", "tests.planted_bugs"]
    failed = subprocess.run(command, cwd=CHECKOUT, check=False).returncode
    print()
    return ["FAILED: a bug in the wiring is not noticed"] if failed else []


def draw(rows, seed, path):
    """Draw the rows, the errors by step and the effect of a baseline."""
    from ramnp.figures.proofs import draw_proofs  # needs matplotlib

    errors, limits = report.agent_errors(rows)
    steps = step_sizes.errors_by_step(seed=seed)
    draw_proofs(errors, limits, steps, *expectation.estimates(seed), path)


if __name__ == "__main__":
    command_line.run(main)
