"""The V and the floor."""

from ramnp.proofs import step_sizes


def test_differences_have_a_best_step_and_the_complex_step_a_floor():
    """Errors fall as h² for both; then one rises again and the other stays."""
    errors = {e.step: e for e in step_sizes.errors_by_step([1e-3, 1e-4, 1e-5, 1e-9])}
    for oracle in ("complex_step", "central_differences"):
        coarse, fine = (getattr(errors[step], oracle) for step in (1e-3, 1e-4))
        assert 80 < coarse / fine < 120
    assert errors[1e-9].central_differences > 10 * errors[1e-5].central_differences
    assert errors[1e-9].complex_step < 1e-14


def test_complex_step_may_be_as_small_as_you_like():
    """At 1e-20 nothing is left of a difference, and the complex step is exact."""
    (errors,) = step_sizes.errors_by_step([1e-20])
    assert errors.complex_step < 1e-14
    assert errors.central_differences == 1
