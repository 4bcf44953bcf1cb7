"""Times as people write them, exact: 12.5, "1:30" or a fraction."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TypeAlias

from facecodec.errors import UsageError

Time: TypeAlias = float | int | str | Fraction  # seconds, or a text such as "1:30" or "0:01:30.5"

_TEXT = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)")


def seconds(time: Time | None) -> Fraction | None:
    """Return a time as an exact number of seconds, None for None.

    A float stands for the decimal number that it prints as: 0.04 is 1/25. A text is seconds
    ("12.5") or `[H:]M:S` ("1:30", "0:01:30.5").
    Raises UsageError for a text that is no time, and for a time that is negative or not finite.
    """
    if time is None:
        return None
    if isinstance(time, str):
        match = _TEXT.fullmatch(time.strip())
        if match is None:
            raise UsageError(f"{time!r} is no time; write seconds (12.5) or H:M:S")
        hours, minutes, rest = match.groups(default="0")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(rest)
    try:
        exact = Fraction(repr(float(time))) if isinstance(time, float) else Fraction(time)
    except (TypeError, ValueError):
        raise UsageError(f"{time!r} is no time; give seconds") from None
    if exact < 0:
        raise UsageError(f"{time!r} is no time; seconds count from 0")
    return exact
