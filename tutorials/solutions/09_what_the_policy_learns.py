"""Solutions to chapter 9."""

import numpy as np


def other_paths(locations, kind, rng):
    """Make the whole path, then put the first look back."""
    paths = {
        "fixed": lambda: np.broadcast_to(
            locations.mean(axis=0), locations.shape
        ).copy(),
        "another's": lambda: np.roll(locations, 1, axis=0),
        "reversed": lambda: np.roll(locations[:, ::-1], 1, axis=1),
        "random": lambda: rng.uniform(-1, 1, locations.shape),
    }[kind]()
    paths[:, 0] = locations[:, 0]
    return paths


def explained(l, labels):
    """Squares about the class means, and about the mean of all."""
    classes = np.unique(labels)
    within = sum(
        ((l[labels == c] - l[labels == c].mean(axis=0)) ** 2).sum() for c in classes
    )
    total = ((l - l.mean(axis=0)) ** 2).sum()
    return 1 - (within / (len(l) - len(classes))) / (total / (len(l) - 1))


def worth_of_glimpses(error_along, locations, repeats, rng):
    """Change one glimpse at a time."""
    before = error_along(locations)
    rise = np.zeros(locations.shape[1])
    for t in range(len(rise)):
        for _ in range(repeats):
            changed = locations.copy()
            changed[:, t] = rng.uniform(-1, 1, changed[:, t].shape)
            rise[t] += (error_along(changed) - before) / repeats
    return rise
