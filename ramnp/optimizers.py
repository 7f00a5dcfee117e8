"""SGD with momentum and Adam, on one flat vector, and learning rate schedules.

An optimiser's state is a dict of arrays shaped like the vector; a step changes the
vector and the state in place and returns nothing.
"""

import math

import numpy as np

ADAM_BETA_2 = 0.999
ADAM_EPSILON = 1e-8


def init_state(optimizer, vector):
    """Return the state before the first step of "sgd" or "adam"."""
    names = {"sgd": ["velocity"], "adam": ["first_moment", "second_moment"]}
    return {name: np.zeros_like(vector) for name in names[optimizer]}


def sgd_step(vector, gradient, state, learning_rate, momentum, step):
    """v <- momentum · v + gradient;  w <- w - learning_rate · v; step is not used."""
    v = state["velocity"]
    v *= momentum
    v += gradient
    vector -= learning_rate * v


def adam_step(vector, gradient, state, learning_rate, momentum, step):
    """Adam (Kingma and Ba, 2015) with β1 = momentum; step counts from 1.

    m <- β1 m + (1 - β1) g;  v <- β2 v + (1 - β2) g²
    w <- w - rate · m / (1 - β1^step) / (√(v / (1 - β2^step)) + ε)
    """
    m, v = state["first_moment"], state["second_moment"]
    m *= momentum
    m += (1 - momentum) * gradient
    v *= ADAM_BETA_2
    v += (1 - ADAM_BETA_2) * gradient * gradient
    # The two corrections for the start at 0, moved out of the vectors.
    correction = math.sqrt(1 - ADAM_BETA_2**step)
    denominator = np.sqrt(v)
    denominator += ADAM_EPSILON * correction
    np.divide(m, denominator, out=denominator)
    denominator *= learning_rate * correction / (1 - momentum**step)
    vector -= denominator


STEPS = {"sgd": sgd_step, "adam": adam_step}


def learning_rate_at(progress, schedule, initial, final_rate):
    """Return the rate when a fraction `progress` of all steps is done.

    It goes from initial to initial · final_rate, straight or along half a cosine.
    """
    if schedule == "constant":
        return initial
    left = {
        "linear": 1 - progress,
        "cosine": (1 + math.cos(math.pi * progress)) / 2,
    }[schedule]
    return initial * (final_rate + (1 - final_rate) * left)


def clip_by_global_norm(gradient, largest):
    """Scale the gradient in place to at most this norm; return the norm it had."""
    norm = math.sqrt(float(gradient @ gradient))
    if norm > largest:
        gradient *= largest / norm
    return norm
