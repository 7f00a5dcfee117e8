"""Every gradient of every layer, network and agent, against three oracles."""

import pytest

from ramnp.agent import layers
from ramnp.proofs import oracles, subjects, suite
from ramnp.proofs.replacing import replaced


def check(rows, proof, subject, *limits):
    """Assert that all coordinates of a subject are proved, within the given limits."""
    rows = [r for r in rows if r.proof.startswith(proof) and r.subject == subject]
    arrays = subjects.draw(oracles.SUBJECTS[subject], seed=0).arrays
    sizes = {name: array.size for name, array in arrays.items()}
    assert {row.tensor: row.coordinates for row in rows} == sizes
    assert len(rows) == len(sizes) * len(limits)
    assert {row.limit for row in rows} == {*limits}
    assert [row for row in rows if not row.proved] == []


@pytest.mark.parametrize("subject", oracles.SUBJECTS)
def test_complex_step(oracle_rows, subject):
    """Every tensor agrees to 1e-12, every coordinate to 1e-10, relative."""
    check(oracle_rows, oracles.COMPLEX_STEP, subject, 1e-12, 1e-10)


@pytest.mark.parametrize("subject", oracles.DIFFERENCED)
def test_central_differences(oracle_rows, subject):
    """Every tensor agrees to 1e-6 with an oracle that shares only the loss."""
    check(oracle_rows, oracles.CENTRAL_DIFFERENCES, subject, 1e-6)


def test_proof_runs_the_code_as_it_is_when_called():
    """Expected gradients are computed once; code broken later disagrees with them."""
    prove = oracles.by_complex_step(["affine"])
    assert all(row.proved for row in prove())
    with replaced(layers.affine_backward, lambda dy, x, W: (dy @ W.T, x.T @ dy, dy[0])):
        failed = {row.tensor for row in prove() if not row.proved}
    assert failed == {"b"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
def test_oracles_at_other_points(seed):
    """Complex step and differences agree with us at other random points."""
    proofs = {
        "complex step": oracles.by_complex_step(seed=seed),
        "differences": oracles.by_central_differences(oracles.SUBJECTS, seed),
    }
    assert [row for row in suite.rows(proofs) if not row.proved] == []
