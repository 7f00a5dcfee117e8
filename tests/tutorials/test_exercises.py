"""The exercises: the stubs fail, the solutions pass, as a reader would see it."""

import re
import subprocess
import sys
from pathlib import Path

from tutorials import build

ROOT = Path(__file__).parents[2]


def outcome(*options):
    """Run the exercises' own tests; return the exit code and the counts."""
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--tb=line",
            "-p",
            "no:cacheprovider",
            "tutorials/exercises",
            *options,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    found = re.findall(r"(\d+) (passed|failed|error|skipped)", run.stdout)
    return run.returncode, {word: int(count) for count, word in found}, run.stdout


def test_stubs_fail():
    """Three exercises per tutorial, none solved, none passed by chance."""
    _, counts, output = outcome()
    assert counts == {"failed": 3 * len(build.sources())}, output


def test_solutions_pass():
    """Every exercise can be solved, and the solutions kept here do."""
    code, counts, output = outcome("--solutions")
    assert code == 0, output
    assert counts == {"passed": 3 * len(build.sources())}


def test_solutions_have_the_stubs_files():
    """Exercises, their tests and their solutions are named after the tutorial."""
    names = {f"{path.stem}.py" for path in build.sources()}
    for folder, prefix in (
        ("exercises", ""),
        ("exercises", "test_"),
        ("solutions", ""),
    ):
        found = {path.name for path in (build.HERE / folder).glob(f"{prefix}[0-9]*.py")}
        assert found == {prefix + name for name in names}
