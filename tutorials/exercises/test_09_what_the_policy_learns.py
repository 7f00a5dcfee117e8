"""Checks the answers to chapter 9."""

import numpy as np

HINTS = {
    1: (
        "every kind keeps the first look: put locations[:, 0] back at the end.",
        "np.roll along the images gives each the path of another one.",
        "glimpses T .. 2, in this order, are locations[:, :0:-1].",
    ),
    2: (
        "sum the squares about the mean of each class, class by class.",
        (
            "with random labels the share must be 0 on average: that is why `within` is "
            "divided by N - C."
        ),
    ),
    3: (
        "copy the locations, change one glimpse, ask for the error.",
        "subtract the error along the unchanged locations, and average over repeats.",
    ),
}


def test_1_other_paths(answers, check, rng):
    """Four kinds of paths, each with the first look of its own."""
    own = rng.uniform(-1, 1, (6, 4, 2))
    for kind in ("fixed", "another's", "reversed", "random"):
        path = answers.other_paths(own.copy(), kind, np.random.default_rng(0))
        check.shape(kind, path, own.shape)
        check(f"the first look of {kind}", path[:, 0], own[:, 0])
        later = path[:, 1:]
        if kind == "fixed":
            check("fixed", later, np.tile(own[:, 1:].mean(axis=0), (6, 1, 1)))
        elif kind == "another's":
            found = [[np.allclose(a, b) for b in own[:, 1:]] for a in later]
            whose = np.argmax(found, axis=1)
            check.that(
                np.any(found, axis=1).all(), "another's: not a path of any image"
            )
            check.that(
                (whose != np.arange(6)).all(), "another's: an image kept its own"
            )
        elif kind == "reversed":
            check("reversed", later, own[:, :0:-1])
        else:
            check.that(np.abs(later).max() <= 1, "random: beyond -1 .. 1")
            check.that(np.ptp(later) > 1.5, "random: not spread over -1 .. 1")


def test_2_explained(answers, check, rng):
    """1 if the class says it all, and 0 on average if it says nothing."""
    labels = np.arange(30) % 3
    centres = rng.standard_normal((3, 2))
    check(
        "the share where the class says all",
        answers.explained(centres[labels], labels),
        1,
    )
    shares = [
        answers.explained(rng.standard_normal((30, 2)), labels) for _ in range(400)
    ]
    words = (
        f"with random labels the share is {np.mean(shares):.3f} on average, expected 0"
    )
    check.that(abs(np.mean(shares)) < 0.02, words)


def test_3_worth_of_glimpses(answers, check, rng):
    """For an error whose rise is known: weights times squared distances."""
    own, weights = 0.3 * rng.uniform(-1, 1, (500, 3, 2)), np.array([0.0, 2.0, 5.0])

    def error_along(locations):
        return (weights * (locations**2).sum(axis=2)).sum(axis=1).mean()

    kept = own.copy()
    rise = answers.worth_of_glimpses(error_along, own, 20, rng)
    check("the locations that were handed in", own, kept)
    expected = weights * (2 / 3 - (own**2).sum(axis=2).mean(axis=0))
    check("the rise", rise, expected, rtol=0.05, atol=1e-9)
