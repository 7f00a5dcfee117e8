"""User errors differ from bugs, and each kind has its exit code."""

import pytest

from ramnp.support import errors


def test_exit_codes():
    """Bad input ends with 2, divergence with 3; all are UserErrors."""
    codes = {
        errors.UserError: 2,
        errors.DataError: 2,
        errors.CheckpointError: 2,
        errors.DivergenceError: 3,
        errors.WorkerError: 2,
    }
    for kind, exit_code in codes.items():
        assert issubclass(kind, errors.UserError)
        assert kind("why").exit_code == exit_code


def test_any_damage_is_one_message():
    """The reason is kept as the cause; a bug is not taken for damage."""
    kind = errors.CheckpointError
    for cause in (ValueError("x"), KeyError("x"), errors.UserError("x"), OSError("x")):
        refused = pytest.raises(kind, match="^mend it$")
        with refused as caught, errors.damage("mend it", kind):
            raise cause
        assert caught.value.__cause__ is cause
    with pytest.raises(ZeroDivisionError), errors.damage("mend it"):
        raise ZeroDivisionError


def test_quoted_values_are_short_and_printable():
    """No line breaks, escape sequences or megabytes from a file enter a message."""
    assert errors.brief("centered") == "centered"
    assert errors.brief(0.5) == "0.5"
    assert errors.brief("a\nb\x1b[31m\u2028c\x00") == "ab[31mc"
    assert errors.brief("x" * 10**6) == "x" * 60
