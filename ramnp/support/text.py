"""Text for a terminal."""


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
