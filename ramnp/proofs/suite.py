"""Which proofs there are, and which of them watch for planted bugs."""

import functools

from ramnp.proofs import expectation, gradient_paths, oracles


def against_oracles(seed):
    """Return {name: () -> rows}: the gradients of everything, by three oracles."""
    return {
        "complex step": oracles.by_complex_step(seed=seed),
        "differences": oracles.by_central_differences(seed=seed),
        "PyTorch": oracles.by_pytorch(),
    }


def along_paths(seed):
    """Return {name: () -> rows}: which loss term reaches which network."""
    return {"exact zeros": functools.partial(gradient_paths.rows, seed)}


def on_average(
    seed, cases=tuple(expectation.CASES), baselines=tuple(expectation.BASELINES)
):
    """Return {case: () -> rows}: sampled gradients against the exact one."""
    return {case: expectation.by_quadrature(case, baselines, seed) for case in cases}


def against_bugs(seed):
    """Return {name: () -> rows}: enough of all proofs for every bug to show."""
    cases = "interior, σ 0.2", "border, σ 0.2", "two choices, σ 0.05"
    return (
        against_oracles(seed)
        | along_paths(seed)
        | on_average(seed, cases, ["leave-one-out"])
    )


def rows(proofs):
    """Return the rows of all proofs of {name: () -> rows}."""
    return [row for prove in proofs.values() for row in prove()]
