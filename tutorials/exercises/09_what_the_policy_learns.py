"""Exercises to chapter 9: replace each `raise` by your answer."""


def other_paths(locations, kind, rng):
    """Return paths (N, T, 2) that do not belong to their images; the first look stays.

    locations (N, T, 2) are the own paths of N images. kind: "fixed", the mean path;
    "another's", the path of another image, never the own one; "reversed", the own path
    with glimpses 2 .. T in reverse order; "random", uniform in -1 .. 1, drawn by rng.
    """
    raise NotImplementedError("exercise 9.1")


def explained(l, labels):
    """Return the share of the variance of l (N, 2) that labels (N,) explain.

    Without bias: 1 - within / total. `total` is the sum of squares about the mean of all
    locations, divided by N - 1; `within` is the sum of squares about the mean of each
    location's own class, divided by N - C, for C classes. Both include l_x and l_y.
    """
    raise NotImplementedError("exercise 9.2")


def worth_of_glimpses(error_along, locations, repeats, rng):
    """Return (T,): the rise of the error if glimpse t alone is put at a random place.

    error_along takes locations (N, T, 2) and returns an error. Random places are uniform
    in -1 .. 1, drawn anew for each of the repeats, over which the rise is averaged.
    """
    raise NotImplementedError("exercise 9.3")
