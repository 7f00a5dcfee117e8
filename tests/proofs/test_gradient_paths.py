"""Which loss term trains which network, with exact zeros elsewhere."""

import numpy as np
import pytest

from ramnp.proofs import gradient_paths, subjects

ROWS = [*gradient_paths.rows()]
from ramnp.proofs.planted_bugs import BUGS


def test_every_pair_is_there():
    """Three terms, five networks, four settings of the two options."""
    assert len({(row.subject, row.tensor) for row in ROWS}) == len(ROWS) == 3 * 5 * 4


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.subject}: {row.tensor}")
def test_path(row):
    """A network gets gradients where it should, and nothing at all elsewhere."""
    assert row.error == 0


def test_matrix_of_the_paper():
    """Cross-entropy trains its path; each other head is trained by its own term."""
    taught = {
        (row.subject.partition(",")[0], row.tensor)
        for row in ROWS
        if row.subject.endswith("the paper's") and row.proof == gradient_paths.LEARNS
    }
    assert taught == {
        ("cross-entropy", "glimpse"),
        ("cross-entropy", "core"),
        ("cross-entropy", "action"),
        ("policy", "location"),
        ("baseline", "baseline"),
    }


@pytest.mark.parametrize("term", ["policy", "baseline"])
def test_an_option_opens_two_paths(term):
    """policy_into_core and baseline_into_core add the core and what is below it."""
    shut = subjects.small_config()
    opened = subjects.small_config(**{f"{term}_into_core": True})
    more = set(gradient_paths.allowed(term, opened))
    assert more - set(gradient_paths.allowed(term, shut)) == {"core", "glimpse"}


def test_terms_add_up(rng):
    """The three terms alone sum to the gradient of the whole loss."""
    config = subjects.small_config(policy_into_core=True, baseline_into_core=True)
    drawn = subjects.episode(rng, config)
    terms = [
        gradient_paths.term_gradients(term, drawn, config)
        for term in gradient_paths.TERMS
    ]
    whole = subjects.episode_gradients(drawn, config)
    for network, grads in whole.items():
        for name, array in grads.items():
            assert np.allclose(array, sum(t[network][name] for t in terms), rtol=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        "policy gradient always enters the core",
        "baseline gradient always enters the core",
        "cross-entropy reaches the locator",
        "mean detached from the graph",
        "advantage differentiated through the baseline",
    ],
)
def test_a_wrong_path_is_noticed(name):
    """A path too many or too few shows in the matrix."""
    with BUGS[name].planted():
        assert not all(row.proved for row in gradient_paths.rows())
