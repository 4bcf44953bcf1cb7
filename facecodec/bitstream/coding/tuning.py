"""What the kinds of tuning have in common: telling them apart, and looking them through."""

from __future__ import annotations

from facecodec.bitstream.coding.full_tuning import FULL_KIND, check_full
from facecodec.bitstream.coding.light_tuning import LIGHT_KIND, check_light
from facecodec.bitstream.coding.small_tuning import SMALL_KIND, check_small
from facecodec.errors import StreamError

KIND_NAMES = {LIGHT_KIND: "light", FULL_KIND: "full", SMALL_KIND: "small"}


def kind_of(payload: bytes) -> int:
    """Return LIGHT_KIND, FULL_KIND or SMALL_KIND. Raises StreamError for another kind of tuning."""
    if not payload or payload[0] not in KIND_NAMES:
        raise StreamError("tuning: a kind of tuning this program does not know")
    return payload[0]


def check_tuning(data: bytes, num_controls: int | None = None) -> None:
    """Raise StreamError for a tuning of an unknown kind, or one that breaks the format.

    Everything is checked that does not need the generator. num_controls: of the stream that
    carries the tuning; None where it is not known, as in a `.fci` file.
    """
    kind = kind_of(data)
    if kind == SMALL_KIND:
        check_small(data, num_controls)
    else:
        check_light(check_full(data) if kind == FULL_KIND else data, num_controls)
