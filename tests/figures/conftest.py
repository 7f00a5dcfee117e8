"""What the pictures share with the proofs."""

from tests.proofs.conftest import oracle_proofs, oracle_rows  # noqa: F401
