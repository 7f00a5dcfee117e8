"""All proofs, and those that run against the planted bugs.

A proof is a function without arguments that yields rows. Its expected values are
computed when it is made; the code under proof runs when it is called.
"""

import functools

from ramnp.proofs import expectation, gradient_paths, oracles


def against_oracles(seed):
    """Return {name: () -> rows}: all gradients against each of three oracles."""
    return {
        "complex step": oracles.by_complex_step(seed=seed),
        "differences": oracles.by_central_differences(seed=seed),
        "PyTorch": oracles.by_pytorch(),
    }


def along_paths(seed):
    """Return {name: () -> rows}: which loss term reaches which network."""
    return {"exact zeros": functools.partial(gradient_paths.rows, seed)}


def on_average(seed):
    """Return {name: () -> rows}: sampled gradients against exact ones."""
    compared = "interior, std 0.2", "two choices, std 0.05"
    proofs = {
        case: expectation.by_return(
            case, seed, expectation.BASELINES if case in compared else ["learned"]
        )
        for case in expectation.CASES
    }
    return proofs | {"hybrid": expectation.by_cross_entropy("border, std 0.2", seed)}


def against_bugs(seed):
    """Return {name: () -> rows}: the proofs that together notice every bug."""
    cases = "interior, std 0.2", "border, std 0.2", "two choices, std 0.05"
    sampled = {
        case.partition(",")[0]: expectation.by_return(case, seed, ["leave-one-out"])
        for case in cases
    }
    return against_oracles(seed) | along_paths(seed) | sampled


def rows(proofs):
    """Return the rows of all proofs of {name: () -> rows}."""
    return [row for prove in proofs.values() for row in prove()]
