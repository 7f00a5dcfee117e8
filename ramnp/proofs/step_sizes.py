"""The error of central differences and of the complex step, by the size of the step.

A large step h of a difference has an error of order h² and may cross the kink of a
rectifier; a small one loses digits to the subtraction. The complex step subtracts
nothing and crosses no kink: its error falls to rounding and stays there.
"""

from typing import NamedTuple

import numpy as np

from ramnp.proofs import complex_step, finite_differences, subjects
from ramnp.proofs.complex_step import worst_errors

STEPS = [10.0**-exponent for exponent in range(1, 21)]
# Tensors of every network, with and without rectifiers between them and the loss.
TENSORS = (
    *("glimpse.b_hg", "glimpse.b_g", "core.b_h"),
    *("location.W_mu", "action.b_a", "baseline.W_b"),
)


class Errors(NamedTuple):
    """The largest relative error of a tensor at one step, against backpropagation."""

    step: float
    complex_step: float
    central_differences: float


def errors_by_step(steps=STEPS, seed=0):
    """Return the Errors of each step, for the hybrid loss with tanh."""
    subject = subjects.hybrid_loss(
        np.random.default_rng(seed), locator_bound="tanh", policy_into_core=True
    )
    by_hand = subject.gradients()
    by_hand = {name: by_hand[name] for name in TENSORS}
    arrays = {name: subject.arrays[name] for name in TENSORS}

    def error(oracle, number, step, **options):
        others = {name: a.astype(number) for name, a in subject.arrays.items()}
        derivatives = oracle.derivatives(
            lambda a: subject.loss(others | a), arrays, step, **options
        )
        return max(tensor for tensor, _ in worst_errors(derivatives, by_hand).values())

    return [
        Errors(
            step,
            error(complex_step, complex, step),
            error(finite_differences, float, step, refuse_kinks=False),
        )
        for step in steps
    ]
