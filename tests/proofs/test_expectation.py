"""REINFORCE is right on average, under any baseline; what the hybrid loss follows."""

import numpy as np
import pytest

from ramnp.proofs import expectation
from ramnp.proofs.expectation import (
    BASELINES,
    CASES,
    by_cross_entropy,
    by_return,
    downhill,
    make_problem,
    sampled_gradients,
    with_fitted_baseline,
    z_scores,
)
from ramnp.proofs.planted_bugs import BUGS


def largest(z):
    return max(np.abs(values).max() for values in z.values())


@pytest.fixture(scope="module")
def proofs():
    """The proof of each case, under every baseline."""
    return {name: by_return(name) for name in CASES}


@pytest.fixture(scope="module")
def cross_entropy_proof():
    return by_cross_entropy("border, std 0.2")


def test_cases():
    """Interior and border, narrow and wide, one choice and two; 20,000 samples."""
    one = {(case.mean, case.std) for case in CASES.values() if case.num_choices == 1}
    interior, border = (0.1, -0.2), (0.93, -0.85)
    assert {(mean, std) for mean in (interior, border) for std in (0.05, 0.2)} <= one
    assert any(case.num_choices == 2 for case in CASES.values())
    assert expectation.SAMPLES >= 20_000


@pytest.mark.parametrize("name", CASES)
def test_mean_of_sampled_gradients_is_the_exact_gradient(proofs, name):
    """|z| ≤ 5 for every coordinate under every baseline; quadrature converged to 1e-9.

    A learned baseline and leave-one-out leave less than a tenth of the variance.
    """
    rows = [*proofs[name]()]
    assert [row for row in rows if not row.proved] == []
    subjects = {f"{name}, baseline {b}" for b in BASELINES}
    for proof, limit in (
        (expectation.EXPECTATION, 5.0),
        (expectation.QUADRATURE, 1e-9),
    ):
        found = [row for row in rows if row.proof == proof]
        assert {row.subject for row in found} == subjects
        assert {row.limit for row in found} == {limit}
    variances = [row.error for row in rows if row.proof == expectation.VARIANCE]
    assert len(variances) == 2 and max(variances) < 0.1


@pytest.mark.parametrize("name", ["no tanh'", "score of the clipped sample"])
def test_an_interior_mean_does_not_show_these_bugs(proofs, name):
    """In the interior tanh' is nearly 1 and no sample is clipped, unlike at the border."""
    with BUGS[name].planted():
        interior, border, two_choices = (
            all(row.proved for row in proofs[case]())
            for case in (
                "interior, std 0.2",
                "border, std 0.2",
                "two choices, std 0.05",
            )
        )
    assert interior and not border and not two_choices


def test_hybrid_loss_is_not_the_gradient_of_the_expected_cross_entropy():
    """The hybrid loss leaves out exactly one term, and a reward restores it.

    The locations depend on the parameters too, so by the product rule

        ∇ E[CE] = E[∇ CE at fixed locations] + E[CE ∇ log π(locations)].

    The paper follows the first term by backpropagation and, instead of the second,
    rewards the policy for a right class, -E[R ∇ log π]. Thus the hybrid loss is not the
    gradient of any expected cross-entropy: its cross-entropy part alone lacks the second
    term, for the locator the only one. With the log-probability of the right class at
    every step as the reward, R = -CE, the two terms are the same.
    """
    problem = with_fitted_baseline(make_problem(CASES["border, std 0.2"]), seed=0)
    exact, _ = downhill("border, std 0.2", problem)
    dropped, _ = downhill("border, std 0.2", problem, by_seeing=False)

    def sampled(*terms, **settings):
        return sampled_gradients(problem, seed=3, terms=terms, **settings)

    seen = sampled("cross_entropy")
    assert np.abs(z_scores(seen, exact)["core.W_g"]).max() > 50
    assert not seen["location.W_mu"].any() and exact["location.W_mu"].any()

    completed = {name: seen[name] + dropped[name] for name in seen}
    assert largest(z_scores(completed, exact)) <= 5

    both = "cross_entropy", "policy"
    paper = sampled(*both, reward="final", baseline="leave-one-out")
    assert largest(z_scores(paper, exact)) > 50

    restored = sampled(*both, reward="log-probability")
    assert largest(z_scores(restored, exact)) <= 5


def test_cross_entropy_proof_holds(cross_entropy_proof):
    """The command shows both halves of it."""
    rows = [*cross_entropy_proof()]
    assert len({row.subject for row in rows}) == 2
    assert [row for row in rows if not row.proved] == []


def test_cross_entropy_proof_can_fail(cross_entropy_proof):
    """Without its policy term the hybrid loss lacks a part of the gradient."""
    with BUGS["gradient flows through the sample"].planted():
        failed = {row.subject for row in cross_entropy_proof() if not row.proved}
    assert failed == {"border, std 0.2, hybrid paid log p"}


def test_estimates_for_the_picture():
    """Samples of one derivative: around its exact value, closer with a baseline."""
    exact, sampled = expectation.estimates(seed=0)
    assert [*sampled] == ["no baseline", "learned", "leave-one-out"]
    for values in sampled.values():
        assert values.shape == (expectation.BATCHES,)
        assert abs(values.mean() - exact) < 5 * values.std() / np.sqrt(len(values))
    spread, *others = (values.std() for values in sampled.values())
    assert max(others) < spread / 2


def test_z_scores_are_standard_normal(rng):
    """Means of normal numbers are one standard error off, on average."""
    samples = {"W": rng.normal(3.0, 2.0, size=(100, 40, 50))}
    z = z_scores(samples, {"W": np.full((40, 50), 3.0)})["W"]
    assert z.shape == (40, 50)
    assert abs(z.mean()) < 0.1 and abs(z.std() - 1) < 0.1
    assert np.abs(z_scores(samples, {"W": np.full((40, 50), 4.0)})["W"]).min() > 1


def test_z_scores_without_scatter():
    """Samples that are all equal are right or infinitely wrong."""
    samples = {"W": np.array([[0.0, 1.0, 1.0]] * 3)}
    z = z_scores(samples, {"W": np.array([0.0, 1.0, 1.1])})["W"]
    assert z[0] == z[1] == 0 and np.isinf(z[2])


def test_samples_differ_by_seed_alone():
    """The same seed gives the same bits, another seed other samples."""
    problem = make_problem(CASES["interior, std 0.2"])
    one, same, other = (
        sampled_gradients(problem, seed, batches=2)["core.W_g"] for seed in (0, 0, 1)
    )
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert not np.array_equal(one[0], one[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_z_scores_of_many_repetitions(name):
    """200 repetitions: every |z| ≤ 5, and z² is 1 on average, as for a standard normal.

    A bias of a tenth of a standard error, far too small to show in one repetition,
    would move the mean z by seven of its own standard errors.
    """
    problem = with_fitted_baseline(make_problem(CASES[name]), seed=0)
    exact, _ = downhill(name, problem, by_seeing=False)
    z = []
    for seed in range(1000, 1200):
        samples = sampled_gradients(problem, seed, baseline="learned")
        scores = z_scores(samples, exact)
        z.append(np.concatenate([scores[tensor].ravel() for tensor in scores]))
    z = np.array(z)[:, np.any(z, axis=0)]  # what the samples never move has no score
    assert np.abs(z).max() <= 5
    assert np.abs(z.mean(axis=0)).max() < 5 / np.sqrt(len(z))
    assert 0.5 < (z**2).mean(axis=0).min() and (z**2).mean(axis=0).max() < 1.6


@pytest.mark.slow
def test_hybrid_loss_with_two_choices():
    """The statements about the hybrid loss hold for two choices as well."""
    rows = [*by_cross_entropy("two choices, std 0.05")()]
    assert [row for row in rows if not row.proved] == []
