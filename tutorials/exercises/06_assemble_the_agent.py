"""Exercises to chapter 6: replace each `raise` by your answer."""


def gradient_of_halves(gradient_of, num_rows):
    """Return the gradient {name: array} of a batch, put together from two calls.

    gradient_of(rows) gives the gradients of the mean loss over the rows of a slice.
    The first half has num_rows // 2 rows; num_rows may be odd.
    """
    raise NotImplementedError("exercise 6.1")


def rollout(params, image, rng, config):
    """Look at one image (height, width): return locations (T, 2) and logits (T, C).

    params: {"network.name": array}, the paper's form of every network. The first
    location is (0, 0); each next one is drawn around mu with config.location_std, by
    rng.standard_normal(2), once per choice. Take rho from glimpse_sensor.
    """
    raise NotImplementedError("exercise 6.2")


def gradient(params, image, label, locations, R, advantage, config):
    """Return {"network.name": gradient} of the hybrid loss of one image.

    params: {"network.name": array}, the paper's form of every network; locations
    (T, 2), R and advantage (T - 1,), all held fixed. The class is asked for at the last
    step. The gradients of policy and baseline stay in their own networks. Use NumPy
    and glimpse_sensor, and nothing else of ramnp.
    """
    raise NotImplementedError("exercise 6.3")
