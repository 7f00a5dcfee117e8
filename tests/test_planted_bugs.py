"""Each bug fits its file, and the tests of that file notice it."""

import subprocess
import sys

import pytest

from tests import planted_bugs


def run(*chosen):
    """Return the exit code and the lines of python -m tests.planted_bugs."""
    command = [sys.executable, "-m", "tests.planted_bugs", *chosen]
    done = subprocess.run(
        command, cwd=planted_bugs.ROOT, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.splitlines()


def test_every_bug_fits_its_file():
    """The text that it replaces stands there once, and the file has its tests."""
    bugs = planted_bugs.bugs()
    assert len(bugs) > 200
    for file, _, replacements in bugs:
        source = (planted_bugs.ROOT / "ramnp" / file).read_text("utf-8")
        assert planted_bugs.planted(file, replacements) != source
        assert (planted_bugs.ROOT / planted_bugs.test_of(file)).is_file()


def test_a_bug_is_planted_and_noticed():
    """The command names the test; here of a bug in the smallest file."""
    code, (line,) = run("views are copies")
    assert code == 0
    assert line.startswith("agent/parameters.py: views are copies: test_")


@pytest.mark.slow
def test_every_bug_is_noticed_by_the_tests_of_its_own_file():
    """No test elsewhere has to."""
    code, lines = run()
    assert [line for line in lines if "NOT NOTICED" in line] == []
    assert code == 0 and len(lines) == len(planted_bugs.bugs())
