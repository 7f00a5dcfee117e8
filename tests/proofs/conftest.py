"""What the proofs share: oracles are asked once."""

import pytest

from ramnp.proofs import suite


@pytest.fixture(scope="session")
def oracle_proofs():
    """The proofs against the three oracles, {name: () -> rows}."""
    return suite.against_oracles(seed=0)


@pytest.fixture(scope="session")
def oracle_rows(oracle_proofs):
    """What they yield for the code as it is."""
    return suite.rows(oracle_proofs)
