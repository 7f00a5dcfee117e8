"""One measurement of a proof."""

from typing import NamedTuple


class Row(NamedTuple):
    """An error that a proof measured, and its limit."""

    proof: str
    subject: str
    tensor: str
    coordinates: int
    error: float
    limit: float

    @property
    def proved(self):
        return bool(self.error <= self.limit)  # NaN is not
