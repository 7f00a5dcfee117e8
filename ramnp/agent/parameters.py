"""Named views over one flat vector: networks see names, the optimiser one array."""

import numpy as np


def flatten(tree, dtype=None):
    """Copy {network: {name: array}} into one vector; return it and views of it.

    The views have the names and shapes of the tree and share the vector's memory.
    """
    arrays = [array for network in tree.values() for array in network.values()]
    vector = np.concatenate([array.ravel() for array in arrays])
    if dtype is not None:
        vector = vector.astype(dtype)
    return vector, views(vector, shapes(tree))


def copy_into(target, tree):
    """Copy the arrays of a tree into the views of the same names."""
    for network, arrays in target.items():
        for name, view in arrays.items():
            view[...] = tree[network][name]


def shapes(tree):
    """Return {network: {name: shape}}."""
    return {
        network: {name: array.shape for name, array in arrays.items()}
        for network, arrays in tree.items()
    }


def views(vector, tree_shapes):
    """Return views of a vector in the order and shapes of `shapes(tree)`."""
    tree, start = {}, 0
    for network, named_shapes in tree_shapes.items():
        tree[network] = {}
        for name, shape in named_shapes.items():
            end = start + int(np.prod(shape))
            tree[network][name] = vector[start:end].reshape(shape)
            start = end
    return tree


def size(tree_shapes):
    """Return the number of parameters of a tree with these shapes."""
    return sum(
        int(np.prod(shape))
        for named_shapes in tree_shapes.values()
        for shape in named_shapes.values()
    )
