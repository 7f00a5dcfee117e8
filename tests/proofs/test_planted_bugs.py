"""Every planted bug is noticed, and nothing else is."""

from pathlib import Path

import pytest

from ramnp.agent import layers
from ramnp.proofs import expectation, gradient_paths, planted_bugs, suite
from ramnp.proofs.planted_bugs import BUGS, TABLE, Bug, caught_by
from ramnp.proofs.rows import Row


@pytest.fixture(scope="module")
def proofs(oracle_proofs):
    """The fast proofs, quickest first."""
    return (
        oracle_proofs
        | {"exact zeros": gradient_paths.rows}
        | {"border": expectation.by_return("border, std 0.2", 0, ["leave-one-out"])}
    )


def test_there_are_70():
    """No bug hides another of the same name."""
    assert len(BUGS) == sum(len(of_function) for of_function in TABLE.values()) == 70


def test_right_code_is_not_noticed(proofs):
    """Without a bug every proof holds: what they notice is the bug."""
    assert [row for row in suite.rows(proofs) if not row.proved] == []


@pytest.mark.parametrize("name", BUGS)
def test_bug_is_noticed(proofs, name):
    """At least one proof fails while the bug is planted, and none afterwards."""
    assert caught_by(BUGS[name], proofs, stop_at_first=True)
    assert all(row.proved for row in proofs["PyTorch"]())


def test_a_thousandth_is_noticed_by_every_oracle(oracle_proofs):
    """A gradient 1.001 times as large fails under each of the three oracles."""
    bug = BUGS["every gradient 1.001 times as large"]
    assert caught_by(bug, oracle_proofs) == [*oracle_proofs]


def test_a_bug_lasts_as_long_as_it_is_planted():
    """It stands in the real function's place, is given it, and goes."""
    right = layers.relu_backward
    bug = Bug("doubled", right, lambda right, dy, y: 2 * right(dy, y))
    assert bug.place == "layers.relu_backward"
    with bug.planted():
        assert layers.relu_backward(3.0, 1.0) == 6
    assert layers.relu_backward is right and right(3.0, 1.0) == 3


def test_caught_by_names_the_proofs_that_fail():
    """All of them in order, or the first alone."""

    def failing():
        yield Row("proof", "subject", "tensor", 1, 1.0, 0.0)

    def holding():
        yield Row("proof", "subject", "tensor", 1, 0.0, 0.0)

    proofs = {"a": holding, "b": failing, "c": failing}
    bug = BUGS["bias forgotten"]
    assert caught_by(bug, proofs) == ["b", "c"]
    assert caught_by(bug, proofs, stop_at_first=True) == ["b"]
    assert caught_by(bug, {"a": holding}) == []


def test_documents_list_every_bug():
    """docs/GRADIENTS.md has a line for each, in order."""
    path = Path(__file__).parents[2] / "docs" / "GRADIENTS.md"
    _, _, rest = path.read_text("utf-8").partition("| planted bug |")
    _, _, *lines = rest.partition("\n\n")[0].splitlines()
    listed = [line.split(" | ")[0].removeprefix("| ") for line in lines]
    assert listed == [*BUGS]


@pytest.mark.slow
def test_the_whole_table():
    """All proofs against all bugs: each notices some, and each bug is noticed."""
    proofs = suite.against_bugs(seed=0)
    caught = {
        bug.name: set(names) for bug, names in planted_bugs.caught(proofs).items()
    }
    assert all(caught.values())
    assert set().union(*caught.values()) == proofs.keys()
    for name in ("no tanh'", "score of the clipped sample"):
        assert "interior" not in caught[name] and "border" in caught[name]
    assert caught["sample clipped to the image"] == {"border", "two choices"}
