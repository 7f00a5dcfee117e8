"""Another function stands in everywhere, and only for a while."""

import pytest

from ramnp.agent import core_network, glimpse_network, layers
from ramnp.proofs.replacing import replaced


def test_every_module_finds_the_other_function():
    """Modules that import a function by name are reached like its own."""
    right = layers.relu_backward

    def other(dy, y):
        return dy

    with replaced(right, other):
        for module in (layers, core_network, glimpse_network):
            assert module.relu_backward is other
    for module in (layers, core_network, glimpse_network):
        assert module.relu_backward is right


def test_the_function_returns_after_an_error():
    """However the block ends, the right function is back."""
    right = layers.relu_backward
    with pytest.raises(KeyError), replaced(right, None):
        raise KeyError
    assert layers.relu_backward is core_network.relu_backward is right
