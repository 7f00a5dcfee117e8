"""The proofs as text: a line per tensor or case, with its measured errors."""

from ramnp.proofs import expectation, gradient_paths, oracles, subjects
from ramnp.support.text import columns

BY_ORACLE = {
    "complex step": oracles.COMPLEX_STEP,
    "coordinate": oracles.COMPLEX_STEP + oracles.WORST_COORDINATE,
    "differences": oracles.CENTRAL_DIFFERENCES,
    "PyTorch": oracles.PYTORCH,
}


def gradients(rows):
    """Return the table of every tensor under the three oracles."""
    limits = {row.proof: row.limit for row in rows}
    lines = [
        ["tensor", "coordinates", *BY_ORACLE, "verdict"],
        ["limit", "", *(number(limits.get(proof)) for proof in BY_ORACLE.values()), ""],
    ]
    for tensor, found in (_by_tensor(rows) | {"worst of all": rows}).items():
        size = sum(r.coordinates for r in found if r.proof == found[0].proof)
        errors = [number(_worst(found, proof)) for proof in BY_ORACLE.values()]
        lines.append([tensor, str(size), *errors, _verdict(found)])
    return (
        "Gradients by hand against three oracles: relative error of a tensor, and of\n"
        "its worst coordinate, the largest over all settings of the agent\n\n"
        + columns(lines)
    )


def paths(rows):
    """Return the matrix of loss terms and networks."""
    lines = [["term", *gradient_paths.NETWORKS, "verdict"]]
    proofs = gradient_paths.LEARNS, gradient_paths.EXACT_ZERO
    for subject, found in _by_subject(rows, proofs).items():
        cells = [
            row.proof if row.proof == gradient_paths.LEARNS else f"{row.error:.0g}"
            for row in found
        ]
        lines.append([subject, *cells, _verdict(found)])
    return (
        "Which network each loss term trains; every other gradient is exactly 0\n\n"
        + columns(lines)
    )


def expectations(rows):
    """Return the table of sampled gradients against exact ones."""
    proofs = expectation.EXPECTATION, expectation.QUADRATURE, expectation.VARIANCE
    lines = [["case", "coordinates", "|z|", "variance", "nodes", "verdict"]]
    for subject, found in _by_subject(rows, proofs).items():
        z, nodes, variance = (_worst(found, proof) for proof in proofs)
        size = sum(r.coordinates for r in found if r.proof == expectation.EXPECTATION)
        measured = f"{z:.2f}", number(variance), number(nodes)
        lines.append([subject, str(size), *measured, _verdict(found)])
    return (
        f"REINFORCE on average: {expectation.SAMPLES:,} samples against the exact "
        "gradient\n|z|: largest distance in standard errors; variance: relative to no "
        "baseline;\nnodes: change of the exact gradient with one more node\n\n"
        + columns(lines)
    )


def caught(bugs, proofs):
    """Return the table of {bug: names of the proofs that notice it}."""
    lines = [["planted bug", "in", *proofs, "verdict"]]
    for bug, names in bugs.items():
        marks = ["x" if proof in names else "" for proof in proofs]
        module, _, _ = bug.place.partition(".")
        lines.append([bug.name, module, *marks, "caught" if names else "MISSED"])
    return "Planted bugs, and which proof notices each\n\n" + columns(lines)


def steps(errors):
    """Return the table of errors by step."""
    lines = [["step", "complex step", "central differences"]]
    lines += [[f"{e[0]:.0e}", *map(number, e[1:])] for e in errors]
    return "Largest relative error of a tensor by step\n\n" + columns(lines)


def failures(rows, bugs):
    """Return a line for each row beyond its limit and each bug that nothing noticed."""
    return [
        f"FAILED {row.proof}: {row.subject}, {row.tensor}: "
        f"{number(row.error)} is more than {number(row.limit)}"
        for row in rows
        if not row.proved
    ] + [
        f"FAILED to notice {bug.name} in {bug.place}"
        for bug, names in bugs.items()
        if not names
    ]


def agent_errors(rows):
    """Return {oracle: {tensor: worst error}} of the agent, and {oracle: limit}."""
    names = {row.tensor for row in rows if row.subject in subjects.AGENT}
    limits = {row.proof: row.limit for row in rows if row.proof in BY_ORACLE.values()}
    errors = {
        oracle: {
            tensor: _worst(found, oracle)
            for tensor, found in _by_tensor(rows).items()
            if tensor in names
        }
        for oracle in limits
    }
    return errors, limits


def number(value):
    """Return a number with two digits, or nothing for None."""
    return "" if value is None else f"{value:.1e}"


def _verdict(rows):
    return "proved" if all(row.proved for row in rows) else "FAILED"


def _worst(rows, proof):
    """Return the largest error that a proof measured, None if it measured nothing."""
    return max((row.error for row in rows if row.proof == proof), default=None)


def _by_tensor(rows):
    """Return {tensor: rows of the oracles}; all settings of the agent share a line."""

    def name(row):
        alone = row.subject in subjects.LAYERS | subjects.NETWORKS
        return f"{row.subject}: {row.tensor}" if alone else row.tensor

    return _grouped(rows, BY_ORACLE.values(), name)


def _by_subject(rows, proofs):
    return _grouped(rows, proofs, lambda row: row.subject)


def _grouped(rows, proofs, name):
    found = {}
    for row in rows:
        if row.proof in proofs:
            found.setdefault(name(row), []).append(row)
    return found
