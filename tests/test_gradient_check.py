"""The command: what it prints, and that its exit code means what it says."""

import subprocess
import sys

import pytest

from ramnp import gradient_check
from ramnp.figures import proofs
from ramnp.proofs import (
    expectation,
    oracles,
    planted_bugs,
    step_sizes,
    suite,
)
from ramnp.proofs.planted_bugs import BUGS
from ramnp.support.errors import UserError


@pytest.fixture
def few_proofs(monkeypatch, tmp_path):
    """Proofs of the affine map alone, and two bugs in it."""
    few = {"complex step": oracles.by_complex_step(["affine"])}
    monkeypatch.setattr(suite, "against_oracles", lambda seed: few)
    monkeypatch.setattr(suite, "against_bugs", lambda seed: few)
    monkeypatch.setattr(suite, "on_average", lambda seed: {})
    two = {name: BUGS[name] for name in ("bias counted twice", "bias forgotten")}
    monkeypatch.setattr(gradient_check, "CHECKOUT", tmp_path)
    monkeypatch.setattr(planted_bugs, "BUGS", two)
    return few


def test_everything_is_proved(few_proofs, capsys):
    """Exit code 0, a line for each tensor, the paths, and the planted bugs."""
    assert gradient_check.main([]) == 0
    printed = capsys.readouterr().out
    for tensor in "xWb":
        (line,) = (x for x in printed.splitlines() if x.startswith(f"affine: {tensor}"))
        assert line.endswith("proved")
    assert "policy, policy into core" in printed
    assert "Planted bugs: 2 of 2 noticed" in printed
    assert "everything is proved" in printed and "FAILED" not in printed


@pytest.mark.parametrize(
    "bug, arguments, line",
    [
        ("bias counted twice", [], "complex step: affine, b"),
        ("policy gradient always enters the core", [], "exact zero: policy"),
        ("input gradient of the wrong sign", ["--planted-bugs"], "complex step: aff"),
    ],
)
def test_a_failure_is_named(few_proofs, capsys, bug, arguments, line):
    """A wrong gradient, a wrong path, or a proof that fails without a bug: exit code 1."""
    with BUGS[bug].planted():
        assert gradient_check.main(arguments) == 1
    printed = capsys.readouterr().out
    assert f"FAILED {line}" in printed and "everything is proved" not in printed


def test_a_bug_that_is_missed_fails(few_proofs, monkeypatch, capsys):
    """Exit code 1 when no proof notices a planted bug, here one outside of few_proofs."""
    missed = "rectified baseline"
    monkeypatch.setattr(planted_bugs, "BUGS", {missed: BUGS[missed]})
    for arguments in ([], ["--planted-bugs"]):
        assert gradient_check.main(arguments) == 1
        printed = capsys.readouterr().out
        assert "FAILED to notice rectified baseline in baseline_network" in printed


def test_table_of_planted_bugs(few_proofs, capsys):
    """One command prints which proof notices which bug."""
    assert gradient_check.main(["--planted-bugs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in ("bias counted twice", "bias forgotten"):
        (line,) = (line for line in lines if line.startswith(name))
        assert line.split()[-2:] == ["x", "caught"]


def test_figure(few_proofs, monkeypatch, tmp_path):
    """--figure draws the rows that were printed, and what it measures for the picture."""
    drawn = []
    monkeypatch.setattr(proofs, "draw_proofs", lambda *given: drawn.append(given))
    monkeypatch.setattr(step_sizes, "errors_by_step", lambda seed: f"steps of {seed}")
    monkeypatch.setattr(expectation, "estimates", lambda seed: ["exact", seed])
    path = tmp_path / "proofs.png"
    assert gradient_check.main(["--figure", str(path), "--seed", "3"]) == 0
    ((errors, limits, *measured),) = drawn
    assert measured == ["steps of 3", "exact", 3, path]
    assert (
        errors.keys()
        == limits.keys()
        == {oracles.COMPLEX_STEP, oracles.COMPLEX_STEP + oracles.WORST_COORDINATE}
    )


def test_table_of_step_sizes(monkeypatch, capsys):
    """--step-sizes prints a line for each step."""
    errors = [step_sizes.Errors(1e-5, 4e-9, 5e-9)]
    monkeypatch.setattr(step_sizes, "errors_by_step", lambda seed: errors)
    assert gradient_check.main(["--step-sizes"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.split() == ["1e-05", "4.0e-09", "5.0e-09"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--seed", "-1"], "--seed -1"),
        (["--seed", "x"], "--seed"),
        (["--figure", "nowhere/proofs.png"], "no folder nowhere"),
        (["--figure", "x.png", "--planted-bugs"], "--planted-bugs"),
        (["--colour"], "--colour"),
    ],
)
def test_wrong_options(arguments, words):
    """One line that names the option."""
    with pytest.raises(UserError, match=words) as error:
        gradient_check.main(arguments)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_the_command():
    """All proofs hold: exit code 0."""
    command = [sys.executable, "-m", "ramnp.gradient_check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "everything is proved" in done.stdout
