"""The gradients of every subject against three oracles, tensor by tensor."""

import functools

from ramnp.proofs import complex_step, finite_differences, stored_oracle, subjects
from ramnp.proofs.complex_step import worst_errors
from ramnp.proofs.rows import Row

COMPLEX_STEP = "complex step"
CENTRAL_DIFFERENCES = "central differences"
PYTORCH = "PyTorch"
WORST_COORDINATE = ", worst coordinate"

SUBJECTS = subjects.LAYERS | subjects.NETWORKS | subjects.AGENT
# Of the agent, only the settings with the fewest and the most gradient paths: all
# settings would take long.
DIFFERENCED = [
    *subjects.LAYERS,
    *subjects.NETWORKS,
    "hybrid loss, the paper's",
    "hybrid loss, all at once",
]


def by_complex_step(names=SUBJECTS, seed=0):
    """Differentiate subjects by the complex step; return a proof, () -> rows."""
    checks = []
    for name in names:
        subject = subjects.draw(SUBJECTS[name], seed)
        expected = complex_step.derivatives(subject.loss, subject.arrays)
        checks.append((name, subject.gradients, expected))
    limits = complex_step.TENSOR_LIMIT, complex_step.COORDINATE_LIMIT
    return functools.partial(_rows, COMPLEX_STEP, checks, *limits)


def by_central_differences(names=DIFFERENCED, seed=0):
    """Differentiate subjects by central differences; return a proof, () -> rows."""
    checks = []
    for name in names:
        subject, expected, _ = finite_differences.redrawn(SUBJECTS[name], seed)
        checks.append((name, subject.gradients, expected))
    limit = finite_differences.LIMIT
    return functools.partial(_rows, CENTRAL_DIFFERENCES, checks, limit)


def by_pytorch():
    """Read PyTorch's gradients of three agents; return a proof, () -> rows."""
    checks = [
        (name, functools.partial(stored_oracle.computed, stored), stored.expected)
        for name, stored in stored_oracle.read().items()
    ]
    return functools.partial(_rows, PYTORCH, checks, stored_oracle.LIMIT)


def _rows(proof, checks, tensor_limit, coordinate_limit=None):
    """Yield the rows of checks: subject, () -> gradients by hand, expected gradients."""
    for subject, gradients, expected in checks:
        for name, (tensor, coordinate) in worst_errors(gradients(), expected).items():
            where = subject, name, expected[name].size
            yield Row(proof, *where, tensor, tensor_limit)
            if coordinate_limit is not None:
                worst = proof + WORST_COORDINATE
                yield Row(worst, *where, coordinate, coordinate_limit)
