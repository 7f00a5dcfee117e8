"""Columns of words."""

from ramnp.support.text import columns


def test_columns_are_as_wide_as_their_longest_word():
    """The first is flush left, the others right, and no line ends in a space."""
    lines = [["name", "n"], ["a", "100"], ["long name", ""]]
    assert columns(lines).split("\n") == [
        "name         n",
        "a          100",
        "long name",
    ]
