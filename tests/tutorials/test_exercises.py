"""The exercises: stubs are skipped, solutions pass, a wrong answer learns why."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tutorials import build

ROOT = Path(__file__).parents[2]
NAMES = {f"{path.stem}.py" for path in build.sources()[1:]}  # all but the overview


def outcome(*options, folder=ROOT / "tutorials", root="exercises"):
    """Run the exercises' own tests; return the exit code, the counts, the output."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", root, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    found = re.findall(r"(\d+) (passed|failed|error|skipped)", run.stdout)
    return run.returncode, {word: int(count) for count, word in found}, run.stdout


def test_stubs_are_skipped():
    """Three exercises per chapter, none red before it is attempted, none passed."""
    code, counts, output = outcome()
    assert counts == {"skipped": 3 * len(NAMES)}, output
    assert code == 0
    assert "not attempted yet: exercise 5.3" in output


def test_solutions_pass():
    """Every exercise can be solved, and the solutions kept here do, from the root too."""
    code, counts, output = outcome(
        "--solutions", folder=ROOT, root="tutorials/exercises"
    )
    assert code == 0, output
    assert counts == {"passed": 3 * len(NAMES)}


def test_a_wrong_answer_says_where_and_gives_hints(tmp_path):
    """Name, index, both values and as many hints as asked for; no traceback."""
    for part in ("exercises", "solutions"):
        shutil.copytree(ROOT / "tutorials" / part, tmp_path / "tutorials" / part)
    shutil.copytree(ROOT / "ramnp", tmp_path / "ramnp")
    answers = tmp_path / "tutorials" / "exercises" / "02_backpropagate_by_hand.py"
    text = answers.read_text("utf-8")
    answers.write_text(
        text.replace('raise NotImplementedError("exercise 2.1")', "return dy * y"),
        "utf-8",
    )
    folder = tmp_path / "tutorials"
    _, counts, output = outcome("-k", "tanh", folder=folder)
    assert counts["failed"] == 1
    found = re.search(r"dx is wrong at \[0, 0\]: yours (\S+), expected (\S+)", output)
    assert found and found[1] != found[2]
    assert "hint 1 of 2" in output and "hint 2 of 2" not in output
    assert "--hints 2" in output and "assert" not in output
    _, _, output = outcome("-k", "tanh", "--hints", "2", folder=folder)
    assert "hint 2 of 2" in output


def test_every_exercise_has_stub_test_solution_and_hints():
    """Files are named after the chapter; each test number has at least two hints."""
    for folder, prefix in (
        ("exercises", ""),
        ("exercises", "test_"),
        ("solutions", ""),
    ):
        found = {path.name for path in (build.HERE / folder).glob(f"{prefix}[0-9]*.py")}
        assert found == {prefix + name for name in NAMES}
    for name in NAMES:
        text = (build.HERE / "exercises" / f"test_{name}").read_text("utf-8")
        hints = text[text.index("HINTS = {") :].split("\n}\n")[0]
        assert re.findall(r"^    (\d): \($", hints, re.MULTILINE) == ["1", "2", "3"]
        assert hints.count("\n        ") >= 6
