"""Another function takes the place of one of ours everywhere, and only for a while."""

from typing import NamedTuple

import pytest

from ramnp.agent import core_network, glimpse_network, layers
from ramnp.proofs import planted_bugs
from ramnp.proofs.replacing import replaced

RIGHT = layers.relu_backward


class Entry(NamedTuple):
    function: object
    size: int


def other(dy, y):
    return dy


def test_every_module_finds_the_other_function():
    """Modules that import a function by name find the other one too."""
    with replaced(RIGHT, other):
        for module in (layers, core_network, glimpse_network):
            assert module.relu_backward is other
    for module in (layers, core_network, glimpse_network):
        assert module.relu_backward is RIGHT


def test_registries_find_the_other_function(monkeypatch):
    """A function in a dict of a module is replaced, also as one field of a value."""
    registry = {"alone": RIGHT, "named": Entry(RIGHT, 3), "pair": (1, RIGHT), "no": 4}
    before = dict(registry)
    monkeypatch.setattr(glimpse_network, "REGISTRY", registry, raising=False)
    with replaced(RIGHT, other):
        assert registry["alone"] is other
        assert registry["named"] == Entry(other, 3) and registry["named"].size == 3
        assert registry["pair"] == (1, other) and registry["no"] == 4
    assert registry == before and registry["named"] is before["named"]


def test_the_table_of_planted_bugs_keeps_the_real_function():
    """A bug still names its place while another one is planted."""
    with planted_bugs.BUGS["rectifier leaks"].planted():
        assert planted_bugs.BUGS["rectifier leaks"].function is RIGHT
        assert layers.relu_backward is not RIGHT


def test_the_function_returns_after_an_error():
    """The right function is back however the block ends."""
    with pytest.raises(KeyError), replaced(RIGHT, None):
        raise KeyError
    assert layers.relu_backward is core_network.relu_backward is RIGHT
