"""Every gradient of every layer, network and agent, against three oracles."""

import pytest

from ramnp.agent import layers
from ramnp.proofs import oracles, subjects, suite
from ramnp.proofs.replacing import replaced


def of(rows, proof, subject):
    return [r for r in rows if r.proof.startswith(proof) and r.subject == subject]


@pytest.mark.parametrize("subject", oracles.SUBJECTS)
def test_complex_step(oracle_rows, subject):
    """Every coordinate agrees to 1e-10, every tensor to 1e-12, relative."""
    rows = of(oracle_rows, oracles.COMPLEX_STEP, subject)
    tensors = subjects.draw(oracles.SUBJECTS[subject], seed=0).arrays
    assert {row.tensor for row in rows} == tensors.keys()
    assert {row.limit for row in rows} == {1e-12, 1e-10}
    assert [row for row in rows if not row.proved] == []


@pytest.mark.parametrize("subject", oracles.DIFFERENCED)
def test_central_differences(oracle_rows, subject):
    """Every tensor agrees to 1e-6 with an oracle that shares nothing but the loss."""
    rows = of(oracle_rows, oracles.CENTRAL_DIFFERENCES, subject)
    tensors = subjects.draw(oracles.SUBJECTS[subject], seed=0).arrays
    assert {row.tensor for row in rows} == tensors.keys()
    assert {row.limit for row in rows} == {1e-6}
    assert [row for row in rows if not row.proved] == []


@pytest.mark.parametrize("subject", ["paper", "dense", "shared"])
def test_pytorch(oracle_rows, subject):
    """Losses, returns, advantages and gradients agree to 1e-12 with PyTorch's."""
    rows = of(oracle_rows, oracles.PYTORCH, subject)
    assert {"losses", "R", "advantage", "core.W_h"} <= {row.tensor for row in rows}
    assert {row.limit for row in rows} == {1e-12}
    assert [row for row in rows if not row.proved] == []


def test_all_coordinates_count(oracle_rows):
    """A row tells how many coordinates it stands for, and all are among them."""
    for subject, make in oracles.SUBJECTS.items():
        rows = [
            row
            for row in of(oracle_rows, oracles.COMPLEX_STEP, subject)
            if row.proof == oracles.COMPLEX_STEP
        ]
        arrays = subjects.draw(make, seed=0).arrays
        assert {row.tensor: row.coordinates for row in rows} == {
            name: array.size for name, array in arrays.items()
        }


def test_proof_watches_the_code_as_it_is_when_called():
    """The oracle is asked once; what is broken later does not agree with it."""
    prove = oracles.by_complex_step(["affine"])
    assert all(row.proved for row in prove())
    with replaced(layers.affine_backward, lambda dy, x, W: (dy @ W.T, x.T @ dy, dy[0])):
        failed = {row.tensor for row in prove() if not row.proved}
    assert failed == {"b"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
def test_oracles_at_other_points(seed):
    """Complex step and differences agree wherever the problems are drawn."""
    proofs = {
        "complex step": oracles.by_complex_step(seed=seed),
        "differences": oracles.by_central_differences(oracles.SUBJECTS, seed),
    }
    assert [row for row in suite.rows(proofs) if not row.proved] == []
