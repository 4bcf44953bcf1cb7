"""Times as people write them, exact: 12.5, "1:30" or a fraction."""

from __future__ import annotations

import re
from fractions import Fraction
from numbers import Rational
from typing import TypeAlias

from facecodec.errors import UsageError

Time: TypeAlias = float | int | str | Fraction  # seconds, or a text such as "1:30" or "0:01:30.5"

_TEXT = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)", re.ASCII)
MAX_CHARACTERS = 60  # of a time's text: enough for any clip in any fraction of a second


def seconds(time: Time | None) -> Fraction | None:
    """Return a time as an exact number of seconds, None for None.

    A float stands for the decimal number that it prints as: 0.04 is 1/25. A text is seconds
    ("12.5") or `[H:]M:S` ("1:30", "0:01:30.5"), in which all but the first part are below 60.
    Raises UsageError for a text that is no time, and for a time that is negative or not finite.
    """
    if time is None:
        return None
    if isinstance(time, str):
        return _seconds_of_text(time.strip())
    if isinstance(time, bool) or not isinstance(time, float | Rational):
        raise UsageError(f"{time!r} is no time; give seconds")
    try:
        exact = Fraction(repr(float(time))) if isinstance(time, float) else Fraction(time)
    except ValueError:
        raise UsageError(f"{time!r} is no time; give seconds") from None
    if exact < 0:
        raise UsageError(f"{time!r} is no time; seconds count from 0")
    return exact


def between(start: Time | None, end: Time | None) -> tuple[Fraction | None, Fraction | None]:
    """Return two times as `seconds` does. Raises UsageError unless `end` lies behind `start`."""
    begin, stop = seconds(start), seconds(end)
    if stop is not None and stop <= (begin or 0):
        raise UsageError(f"end {end}: lies not behind start {start or 0}", argument="end")
    return begin, stop


def _seconds_of_text(text: str) -> Fraction:
    match = _TEXT.fullmatch(text) if len(text) <= MAX_CHARACTERS else None
    if match is None:
        raise UsageError(f"{text[:MAX_CHARACTERS]!r} is no time; write seconds (12.5) or H:M:S")
    hours, minutes, rest = match[1], match[2], Fraction(match[3])
    if (minutes is not None and rest >= 60) or (hours is not None and int(minutes) >= 60):
        raise UsageError(f"{text!r} is no time; minutes and seconds after a colon are below 60")
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + rest
