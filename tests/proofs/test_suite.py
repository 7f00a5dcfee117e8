"""The command runs every proof."""

from ramnp.proofs import expectation, suite


def test_on_average_covers_every_case(monkeypatch):
    """Each case is proved, two of them under every baseline, and the hybrid loss."""
    asked = {}

    def by_return(name, seed, baselines=expectation.BASELINES):
        asked[name] = [*baselines]

    monkeypatch.setattr(expectation, "by_return", by_return)
    monkeypatch.setattr(expectation, "by_cross_entropy", lambda name, seed: None)
    assert suite.on_average(seed=0).keys() == {*expectation.CASES, "hybrid"}
    compared = [name for name, kinds in asked.items() if len(kinds) == 3]
    assert compared == ["interior, std 0.2", "two choices, std 0.05"]


def test_against_oracles_names_three(oracle_proofs):
    """Three independent answers for one gradient."""
    assert [*oracle_proofs] == ["complex step", "differences", "PyTorch"]


def test_rows_of_all_proofs():
    """What proofs yield is put in one list."""
    assert suite.rows({"a": lambda: iter([1, 2]), "b": lambda: iter([3])}) == [1, 2, 3]
