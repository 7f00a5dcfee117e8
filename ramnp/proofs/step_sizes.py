"""How wrong each way of differentiating is, by the size of its step.

A difference has to choose: a large step is wrong by h², a small one loses the digits
that it subtracts, and a rectifier in between spoils it. The complex step subtracts
nothing and moves no unit across its kink: it has a floor and no dilemma.
"""

from typing import NamedTuple

import numpy as np

from ramnp.proofs import complex_step, finite_differences, subjects
from ramnp.proofs.complex_step import worst_errors

STEPS = [10.0**-exponent for exponent in range(1, 21)]
# Tensors of the hybrid loss with no rectifier, and with many, between them and it.
ABOVE_RECTIFIERS = ("location.W_mu", "location.b_mu", "action.b_a", "baseline.W_b")
THROUGH_RECTIFIERS = ("glimpse.b_hg", "glimpse.b_g", "core.b_h")


class Errors(NamedTuple):
    """Largest error of a tensor at one step, relative to the gradient by hand."""

    step: float
    complex_step: float  # through rectifiers and above them alike
    differences_above: float
    differences_through: float


def errors_by_step(steps=STEPS, seed=0):
    """Return the Errors of each step, for the hybrid loss with tanh."""
    subject = subjects.hybrid_loss(
        np.random.default_rng(seed), locator_tanh=True, policy_into_core=True
    )
    by_hand = subject.gradients()

    def error(oracle, names, step, **options):
        arrays = {name: subject.arrays[name] for name in names}
        number = complex if oracle is complex_step else float
        others = {name: a.astype(number) for name, a in subject.arrays.items()}
        derivatives = oracle.derivatives(
            lambda a: subject.loss(others | a), arrays, step, **options
        )
        gradients = {name: by_hand[name] for name in names}
        return max(
            tensor for tensor, _ in worst_errors(gradients, derivatives).values()
        )

    def difference(names, step):
        return error(finite_differences, names, step, refuse_kinks=False)

    return [
        Errors(
            step,
            error(complex_step, ABOVE_RECTIFIERS + THROUGH_RECTIFIERS, step),
            difference(ABOVE_RECTIFIERS, step),
            difference(THROUGH_RECTIFIERS, step),
        )
        for step in steps
    ]
