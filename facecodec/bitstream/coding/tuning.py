"""What the two kinds of tuning have in common: telling them apart, and looking them through."""

from __future__ import annotations

from facecodec.bitstream.coding.full_tuning import FULL_KIND, check_full, kind_of
from facecodec.bitstream.coding.light_tuning import check_light


def check_tuning(data: bytes, num_controls: int | None = None) -> None:
    """Raise StreamError for a tuning of an unknown kind, or one that breaks the format.

    Everything is checked that does not need the generator. num_controls: of the stream that
    carries the tuning; None where it is not known, as in a `.fci` file.
    """
    if kind_of(data) == FULL_KIND:
        data = check_full(data)
    check_light(data, num_controls)
