"""The suite holds every proof."""

from ramnp.proofs import expectation, suite


def test_on_average_covers_every_case(monkeypatch):
    """Each case is proved, two of them under every baseline, and the hybrid loss."""
    asked = {}

    def by_return(name, seed, baselines):
        asked[name] = [*baselines]

    monkeypatch.setattr(expectation, "by_return", by_return)
    monkeypatch.setattr(expectation, "by_cross_entropy", lambda name, seed: None)
    assert suite.on_average(seed=0).keys() == {*expectation.CASES, "hybrid"}
    compared = [name for name, kinds in asked.items() if len(kinds) == 3]
    assert compared == ["interior, std 0.2", "two choices, std 0.05"]


def test_against_oracles(oracle_proofs, oracle_rows):
    """Three independent oracles check each gradient, and rows holds all they yield."""
    assert [*oracle_proofs] == ["complex step", "differences", "PyTorch"]
    assert len(oracle_rows) == sum(len([*prove()]) for prove in oracle_proofs.values())
