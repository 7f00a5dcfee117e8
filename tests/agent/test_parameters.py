"""One flat vector and the tree of names are the same memory."""

import numpy as np
import pytest

from ramnp.agent import model, parameters
from tests.helpers import small_config


@pytest.fixture
def tree(rng):
    """An agent's parameters."""
    return model.init(rng, small_config(locator_hidden_size=5))


def assert_equal_trees(actual, expected):
    """Same names in the same order, same shapes, same values."""
    assert [*actual] == [*expected]
    for network in expected:
        assert [*actual[network]] == [*expected[network]]
        for name, array in expected[network].items():
            assert actual[network][name].shape == array.shape
            assert np.array_equal(actual[network][name], array)


def test_flatten_copies_every_array_in_order(tree):
    """The vector is all arrays one after the other, and a copy of them."""
    vector, views = parameters.flatten(tree)
    arrays = [array for network in tree.values() for array in network.values()]
    assert np.array_equal(vector, np.concatenate([a.ravel() for a in arrays]))
    assert_equal_trees(views, tree)
    vector[:] = 0
    assert all(array.any() for array in arrays if array.ndim == 2)


def test_views_share_the_memory_of_the_vector(tree):
    """What the optimiser writes the networks read, and the other way round."""
    vector, views = parameters.flatten(tree)
    vector += 1
    assert np.allclose(views["action"]["b_a"], tree["action"]["b_a"] + 1)
    views["glimpse"]["W_hg"][...] = 7
    assert np.count_nonzero(vector == 7) == views["glimpse"]["W_hg"].size
    for network in views.values():
        assert all(np.shares_memory(array, vector) for array in network.values())


def test_flatten_keeps_or_changes_the_dtype(tree):
    """float32 stays float32; another dtype is taken when asked for."""
    assert parameters.flatten(tree)[0].dtype == np.float32
    vector, views = parameters.flatten(tree, np.float64)
    assert vector.dtype == views["core"]["W_h"].dtype == np.float64
    assert_equal_trees(views, tree)


def test_views_of_another_vector_have_the_same_layout(tree):
    """Gradients and saved vectors are read by the shapes alone; sizes agree."""
    tree_shapes = parameters.shapes(tree)
    vector, _ = parameters.flatten(tree)
    assert parameters.size(tree_shapes) == vector.size
    assert_equal_trees(parameters.views(vector, tree_shapes), tree)
    assert tree_shapes["location"]["W_hidden"] == (9, 5)


def test_copy_into_fills_the_views_by_name(tree):
    """Arrays are copied by name, in any order of the tree."""
    vector, views = parameters.flatten(tree)
    vector[:] = 7
    shuffled = {
        network: dict(reversed(arrays.items()))
        for network, arrays in reversed(tree.items())
    }
    parameters.copy_into(views, shuffled)
    assert_equal_trees(views, tree)
    assert np.array_equal(vector, parameters.flatten(tree)[0])
