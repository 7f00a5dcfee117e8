"""Numbers and columns as text."""

from statistics import mean, stdev


def columns(lines):
    """Return rows of words as columns, the first flush left, the others right."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(
            word.rjust(width) if i else word.ljust(width)
            for i, (word, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in lines
    )


def mean_and_spread(numbers):
    """Return the mean and, of several numbers, their sample standard deviation."""
    spread = f" ± {stdev(numbers):.2f}" if len(numbers) > 1 else ""
    return f"{mean(numbers):.2f}{spread}"
