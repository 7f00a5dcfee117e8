"""One line of a proof."""

from typing import NamedTuple


class Row(NamedTuple):
    """A number that a proof measured, and the largest that it may be."""

    proof: str
    subject: str
    tensor: str
    coordinates: int
    error: float
    limit: float

    @property
    def proved(self):
        return bool(self.error <= self.limit)  # NaN is not
