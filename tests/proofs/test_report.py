"""A person can read what was proved, and sees what was not."""

from ramnp.agent import layers
from ramnp.proofs import expectation, gradient_paths, oracles, report
from ramnp.proofs.planted_bugs import Bug
from ramnp.proofs.rows import Row

STEP = oracles.COMPLEX_STEP
WORST = STEP + oracles.WORST_COORDINATE


def cells(table, first):
    """Return the cells of the line that begins with a word."""
    (line,) = (line for line in table.splitlines() if line.startswith(first))
    return line.split()


def test_gradients_show_the_worst_of_all_settings():
    """A tensor of the agent is one line: coordinates added, the largest errors."""
    rows = [
        Row(STEP, "hybrid loss, tanh", "core.W_h", 25, 1e-16, 1e-12),
        Row(WORST, "hybrid loss, tanh", "core.W_h", 25, 3e-14, 1e-10),
        Row(STEP, "hybrid loss, weights", "core.W_h", 25, 2e-15, 1e-12),
        Row(WORST, "hybrid loss, weights", "core.W_h", 25, 1e-15, 1e-10),
        Row(oracles.PYTORCH, "paper", "core.W_h", 64, 5e-16, 1e-12),
        Row(STEP, "affine", "W", 20, 1e-16, 1e-12),
    ]
    table = report.gradients(rows)
    assert cells(table, "core.W_h") == [
        *("core.W_h", "50", "2.0e-15", "3.0e-14", "5.0e-16", "proved")
    ]
    assert cells(table, "affine: W")[2:] == ["20", "1.0e-16", "proved"]
    assert cells(table, "worst of all")[3:] == [
        *("70", "2.0e-15", "3.0e-14", "5.0e-16", "proved")
    ]
    assert cells(table, "limit") == ["limit", "1.0e-12", "1.0e-10", "1.0e-12"]


def test_one_failure_fails_the_line():
    """A line is proved only if all behind it is."""
    rows = [
        Row(STEP, "hybrid loss, tanh", "core.W_h", 25, 1e-16, 1e-12),
        Row(STEP, "hybrid loss, weights", "core.W_h", 25, 1e-3, 1e-12),
    ]
    assert cells(report.gradients(rows), "core.W_h")[-1] == "FAILED"


def test_failures_name_the_row_and_the_bug():
    """Only rows beyond their limits and bugs that nothing notices have a line."""
    rows = [Row(STEP, "affine", "b", 5, error, 1e-12) for error in (1e-16, 1e-3)]
    seen, unseen = (Bug(name, layers.log_softmax, None) for name in ("seen", "unseen"))
    assert report.failures(rows, {seen: ["b"], unseen: []}) == [
        "FAILED complex step: affine, b: 1.0e-03 is more than 1.0e-12",
        "FAILED to notice unseen in layers.log_softmax",
    ]


def test_errors_for_the_picture():
    """The worst error of each tensor of the agent by each oracle, and their limits."""
    rows = [
        Row(STEP, "affine", "W", 20, 1e-16, 1e-12),
        Row(STEP, "hybrid loss, tanh", "core.W_h", 25, 1e-16, 1e-12),
        Row(STEP, "hybrid loss, the paper's", "core.W_h", 25, 1e-15, 1e-12),
        Row(oracles.PYTORCH, "paper", "core.W_h", 64, 5e-16, 1e-11),
        Row(oracles.PYTORCH, "paper", "R", 64, 5e-16, 1e-11),
    ]
    errors, limits = report.agent_errors(rows)
    assert errors == {STEP: {"core.W_h": 1e-15}, oracles.PYTORCH: {"core.W_h": 5e-16}}
    assert limits == {STEP: 1e-12, oracles.PYTORCH: 1e-11}


def test_paths_are_a_matrix():
    """A network learns, or shows the gradient that should be 0."""
    rows = [
        Row(gradient_paths.LEARNS, "policy, the paper's", "location", 12, 0, 0),
        Row(gradient_paths.EXACT_ZERO, "policy, the paper's", "core", 12, 0.25, 0),
    ]
    table = report.paths(rows)
    assert cells(table, "policy, the paper's")[3:] == ["learns", "0.2", "FAILED"]


def test_expectations_show_case_by_case():
    """Coordinates, the largest |z|, variance and convergence of each case."""
    rows = [
        Row(expectation.QUADRATURE, "border, baseline none", "all", 9, 1e-12, 1e-9),
        Row(expectation.EXPECTATION, "border, baseline none", "core.W_h", 4, 1.5, 5),
        Row(expectation.EXPECTATION, "border, baseline none", "core.b_h", 5, 2.25, 5),
        Row(expectation.VARIANCE, "border, baseline none", "all", 9, 0.01, 0.5),
    ]
    table = report.expectations(rows)
    assert cells(table, "border")[3:] == ["9", "2.25", "1.0e-02", "1.0e-12", "proved"]


def test_caught_marks_proofs():
    """A column for each proof, and a word for bugs that none notices."""
    seen, unseen = (Bug(name, layers.log_softmax, None) for name in ("seen", "unseen"))
    table = report.caught({seen: ["b"], unseen: []}, ["a", "b"])
    assert cells(table, "seen") == ["seen", "layers", "x", "caught"]
    assert cells(table, "unseen") == ["unseen", "layers", "MISSED"]
