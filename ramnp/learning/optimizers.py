"""SGD with momentum, Adam and Muon, on one flat vector, decay and learning rates.

The state of an optimiser is a dict of arrays shaped like the vector; a step changes
vector and state in place and returns nothing. step counts from 1. shapes, {network:
{name: shape}}, describes the arrays in the vector; it is used only by Muon.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ramnp.agent import parameters

ADAM_BETA_2 = 0.999
ADAM_EPSILON = 1e-8
# Muon is for maps between many units, where singular values carry information.
MUON_SMALLEST_SIDE = 64
# Adam's steps have about this size relative to the rate, so one rate serves both.
MUON_SCALE = 0.2


def sgd_step(
    vector: np.ndarray,
    gradient: np.ndarray,
    state: dict,
    learning_rate: float,
    momentum: float,
    step: int,
    shapes: dict | None = None,
) -> None:
    """v <- momentum · v + gradient;  w <- w - learning_rate · v."""
    v = state["velocity"]
    v *= momentum
    v += gradient
    vector -= learning_rate * v


def adam_step(
    vector: np.ndarray,
    gradient: np.ndarray,
    state: dict,
    learning_rate: float,
    momentum: float,
    step: int,
    shapes: dict | None = None,
) -> None:
    """Adam (Kingma and Ba, 2015) with β1 = momentum.

    m <- β1 m + (1 - β1) g;  v <- β2 v + (1 - β2) g²
    w <- w - rate · m / (1 - β1^step) / (√(v / (1 - β2^step)) + ε)
    """
    m, v = state["first_moment"], state["second_moment"]
    vector -= _adam_change(gradient, m, v, learning_rate, momentum, step)


def muon_step(
    vector: np.ndarray,
    gradient: np.ndarray,
    state: dict,
    learning_rate: float,
    momentum: float,
    step: int,
    shapes: dict,
    each: Callable = map,
) -> None:
    """Muon (Jordan, 2024) for large matrices, Adam for everything else.

    With Adam's m, one step ahead, and its singular value decomposition UΣVᵀ:
    UΣVᵀ = β1 m + (1 - β1) g;  W <- W - rate · 0.2 √(longer side) · UVᵀ

    All directions of the gradient, weak ones included, change the weights equally; in
    plain gradient descent a few strong directions dominate. each(function, matrices) is
    map, or that of a thread pool, which takes several matrices at a time.
    """
    flat = vector, gradient, state["first_moment"], state["second_moment"]
    large, aheads = [], []
    for w, g, m, v in zip(*(_arrays(x, shapes) for x in flat)):
        if w.ndim < 2 or min(w.shape) < MUON_SMALLEST_SIDE:
            w -= _adam_change(g, m, v, learning_rate, momentum, step)
            continue
        m *= momentum
        m += (1 - momentum) * g
        ahead = momentum * m
        ahead += (1 - momentum) * g
        large.append(w)
        aheads.append(ahead)
    for w, change in zip(large, each(orthogonalize, aheads)):
        change *= learning_rate * MUON_SCALE * math.sqrt(max(w.shape))
        w -= change


def orthogonalize(G: np.ndarray) -> np.ndarray:
    """Return approximately UVᵀ of G = UΣVᵀ, by matrix products alone.

    Each of three steps maps every singular value s to as + bs³ + cs⁵. Those from 0.03
    of the norm of Σ upwards end within 0.65 to 1.25; the smallest grow 41-fold.
    """
    wide = G.shape[0] <= G.shape[1]
    X = G if wide else G.T
    X = X / max(np.linalg.norm(X), np.finfo(X.dtype).tiny)
    X[np.abs(X) < 1e-16] = 0  # far below rounding; their squares would be subnormal
    a, b, c = 3.4445, -4.7750, 2.0315
    for _ in range(3):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X if wide else X.T


def _adam_change(gradient, m, v, learning_rate, momentum, step):
    """Update Adam's moments m and v; return the change to subtract."""
    m *= momentum
    m += (1 - momentum) * gradient
    v *= ADAM_BETA_2
    v += (1 - ADAM_BETA_2) * gradient * gradient
    # Both bias corrections, applied to scalars instead of vectors.
    correction = math.sqrt(1 - ADAM_BETA_2**step)
    change = np.sqrt(v)
    change += ADAM_EPSILON * correction
    np.divide(m, change, out=change)
    change *= learning_rate * correction / (1 - momentum**step)
    return change


def _arrays(vector, shapes):
    """Return the arrays of these shapes in a vector."""
    networks = parameters.views(vector, shapes).values()
    return [array for arrays in networks for array in arrays.values()]


class Optimizer(NamedTuple):
    """A step, the names of the arrays in its state, and whether it takes `each`."""

    step: Callable
    state: tuple
    parallel: bool = False


_MOMENTS = ("first_moment", "second_moment")
# By config.optimizer.
OPTIMIZERS = {
    "sgd": Optimizer(sgd_step, ("velocity",)),
    "adam": Optimizer(adam_step, _MOMENTS),
    "muon": Optimizer(muon_step, _MOMENTS, parallel=True),
}


def init_state(optimizer: str, vector: np.ndarray) -> dict:
    """Return the state before the first step of the optimiser of this name."""
    return {name: np.zeros_like(vector) for name in OPTIMIZERS[optimizer].state}


def drop_negligible(state: dict) -> None:
    """Set everything below 1e-30 in the optimiser's state to 0, in place.

    The moments of a unit that is never active shrink with every step. After some 800
    they are subnormal, below 1e-38, where arithmetic is up to eighty times slower.
    """
    for array in state.values():
        array[np.abs(array) < 1e-30] = 0


def learning_rate_at(
    progress: float, schedule: str, initial: float, final_rate: float
) -> float:
    """Return the learning rate after a fraction `progress` of all steps.

    It falls from initial to initial · final_rate, linearly or along half a cosine.
    """
    if schedule == "constant":
        return initial
    left = {
        "linear": 1 - progress,
        "cosine": (1 + math.cos(math.pi * progress)) / 2,
    }[schedule]
    return initial * (final_rate + (1 - final_rate) * left)


def decay_weights(tree: dict, learning_rate: float, weight_decay: float) -> None:
    """W <- (1 - rate · decay) W in place, decoupled from the gradient; not for biases.

    (Loshchilov and Hutter, 2019.)
    """
    for arrays in tree.values():
        for array in arrays.values():
            if array.ndim > 1:
                array *= 1 - learning_rate * weight_decay


def clip_by_global_norm(gradient: np.ndarray, largest: float) -> float:
    """Scale the gradient in place to at most this norm; return its previous norm."""
    norm = math.sqrt(float(gradient @ gradient))
    if norm > largest:
        gradient *= largest / norm
    return norm
