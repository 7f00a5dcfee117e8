"""What a user can cause is told from bugs, and each kind has its exit code."""

from ramnp import errors


def test_exit_codes():
    """Bad input ends with 2, divergence with 3; all are UserErrors."""
    codes = {
        errors.UserError: 2,
        errors.DataError: 2,
        errors.CheckpointError: 2,
        errors.DivergenceError: 3,
    }
    for kind, exit_code in codes.items():
        assert issubclass(kind, errors.UserError)
        assert kind("why").exit_code == exit_code
