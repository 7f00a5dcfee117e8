"""The exercises: stubs are skipped, solutions pass, a wrong answer learns why."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tutorials import build

ROOT = Path(__file__).parents[2]
NAMES = {f"{path.stem}.py" for path in build.sources()[1:]}  # all but the overview


def outcome(*options, folder=ROOT / "tutorials", root="exercises"):
    """Run the exercises' own tests; return the exit code, the counts, the output."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", root, *options],
        cwd=folder,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # they take a second
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


# A mistake in the solution of each exercise: (what is right, what is wrong).
MISTAKES = {
    "1.1": ("(2 * left + patch) / width - 1", "2 * left / width - 1"),
    "1.2": ("mean(axis=(1, 3))", "max(axis=(1, 3))"),
    "1.3": ("slope_x * width / 2", "slope_x * width"),
    "2.1": ("dy * (1 - y * y)", "dy * (1 - y)"),
    "2.2": ("np.exp(log_p) * dlog_p.sum(axis=1, keepdims=True)", "np.exp(log_p)"),
    "2.3": ("source.grad = source.grad + d", "source.grad = d"),
    "3.1": ("(2 + 1) * hl_size", "2 * hl_size"),
    "3.2": ('params["b_g"] + hl @ U', 'params["b_g"]'),
    "3.3": ("affine_backward(dz * what, hl", "affine_backward(dz * where, hl"),
    "4.1": ("max(t - most, -1)", "max(t - most - 1, -1)"),
    "4.2": ("h[t].T @ dz", "h[t + 1].T @ dz"),
    "4.3": ("dcell = dcell + dh", "dcell = dh"),
    "5.1": ("np.exp(2 * log_std) - 2", "np.exp(2 * log_std) - 1"),
    "5.2": ("(paid.sum() - paid)", "paid.sum()"),
    "5.3": ("mu = mu + 4", "mu = mu - 4"),
    "6.1": ("(half * first[name] + rest * second[name]) / num_rows", "first[name]"),
    "6.2": ("config.location_std * rng", "config.location_std**2 * rng"),
    "6.3": ("/ config.location_std**2", "/ config.location_std"),
    "7.1": ("shares *= d", "pass"),
    "7.2": ("2 * sum(", "sum("),
    "7.3": ("(step + 1) / (step + 11)", "step / (step + 10)"),
    "8.1": ("2 * side / patch", "side / patch"),
    "8.2": ("/ cell**2", "/ cell"),
    "8.3": ("dmu[0] * (1 - mu[0] ** 2)", "dmu[0]"),
    "9.1": ("paths[:, 0] = locations[:, 0]", "pass"),
    "9.2": ("(len(l) - len(classes))", "len(l)"),
    "9.3": ("(error_along(changed) - before) / repeats", "error_along(changed)"),
}


@pytest.fixture
def copied(tmp_path):
    """A copy of the exercises in which answers can be written."""
    for part in ("exercises", "solutions"):
        shutil.copytree(ROOT / "tutorials" / part, tmp_path / "tutorials" / part)
    shutil.copytree(ROOT / "ramnp", tmp_path / "ramnp")
    return tmp_path / "tutorials"


def failures(output):
    """Return what pytest says of each test that failed."""
    whole = output.partition("= FAILURES =")[2].partition("= short test")[0]
    return re.split(r"^_+ test_\d_\w+ _+$", whole, flags=re.MULTILINE)[1:]


def test_a_wrong_answer_to_each_exercise_gets_its_reason_and_a_hint(copied):
    """Never a bare assert, never a traceback: what is wrong and where, then hint 1."""
    for name in NAMES:
        text = (copied / "solutions" / name).read_text("utf-8")
        for number, (right, wrong) in MISTAKES.items():
            if int(number[0]) == int(name[:2]):
                assert text.count(right) >= 1, number
                text = text.replace(right, wrong)
        (copied / "exercises" / name).write_text(text, "utf-8")
    _, _, output = outcome(folder=copied)
    found = failures(output)
    assert len(found) == len(MISTAKES) == 3 * len(NAMES)
    for words in found:
        reason, hint, *_ = words.strip().splitlines()
        assert re.search("is wrong|expected|too|within", reason)
        assert hint.startswith("  hint 1 of") and "assert" not in words
        assert "hint 2 of" not in words and "--hints 2" in words
    places = re.findall(
        r"(\w+) is wrong at (\[.*\]): yours (\S+), exp\w+ (\S+)", output
    )
    assert ("dx", "[0, 0]") in [(name, place) for name, place, *_ in places]
    assert all(yours != expected for *_, yours, expected in places)


def test_an_answer_that_returns_nothing_gets_a_hint(copied):
    """The most common mistake of all is to forget `return`."""
    for name in NAMES:
        path = copied / "exercises" / name
        text = path.read_text("utf-8")
        path.write_text(re.sub(r"raise NotImpl\w+\(.*\)", "return None", text), "utf-8")
    _, counts, output = outcome(folder=copied)
    assert counts == {"failed": 3 * len(NAMES)}
    assert output.count("hint 1 of") == 3 * len(NAMES)


def test_an_answer_that_fails_names_its_line(copied):
    """An exception in the reader's code is the reader's; with as many hints as asked."""
    path = copied / "exercises" / "02_backpropagate_by_hand.py"
    text = path.read_text("utf-8")
    text = text.replace('raise NotImplementedError("exercise 2.1")', "return dz")
    path.write_text(text, "utf-8")
    _, counts, output = outcome("-k", "tanh", "--hints", "2", folder=copied)
    line = text[: text.index("return dz")].count("\n") + 1
    assert counts["failed"] == 1
    assert f"line {line} of 02_backpropagate_by_hand.py fails: NameError" in output
    assert "During handling" not in output
    assert "hint 1 of 2" in output and "hint 2 of 2" in output


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
