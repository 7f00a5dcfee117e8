"""Named views over one flat vector: networks see names, the optimiser one array.

A tree is {network: {name: array}}; its shapes are {network: {name: shape}}.
"""

import math

import numpy as np


def flatten(tree: dict, dtype: type | None = None) -> tuple[np.ndarray, dict]:
    """Return one vector with a copy of every array of a tree, and views of it.

    The views have the names and shapes of the tree and share the vector's memory.
    """
    arrays = [array.ravel() for network in tree.values() for array in network.values()]
    vector = np.concatenate(arrays)
    if dtype is not None:
        vector = vector.astype(dtype)
    return vector, views(vector, shapes(tree))


def copy_into(target: dict, tree: dict) -> None:
    """Copy the arrays of a tree into the arrays of the same names in target."""
    for network, arrays in target.items():
        for name, array in arrays.items():
            array[...] = tree[network][name]


def shapes(tree: dict) -> dict:
    """Return the shapes of a tree."""
    return {
        network: {name: array.shape for name, array in arrays.items()}
        for network, arrays in tree.items()
    }


def views(vector: np.ndarray, tree_shapes: dict) -> dict:
    """Return the tree of these shapes whose arrays share the vector's memory."""
    tree: dict = {}
    start = 0
    for network, named_shapes in tree_shapes.items():
        tree[network] = {}
        for name, shape in named_shapes.items():
            end = start + math.prod(shape)
            tree[network][name] = vector[start:end].reshape(shape)
            start = end
    return tree


def size(tree_shapes: dict) -> int:
    """Return the number of parameters of a tree with these shapes."""
    return sum(
        math.prod(shape)
        for named_shapes in tree_shapes.values()
        for shape in named_shapes.values()
    )
