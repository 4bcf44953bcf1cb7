"""The light tuning: round trip, and hostile bytes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from facecodec.bitstream.coding.light_tuning import (
    CONTEXTS,
    pack_light,
    parse_light,
    quantise_light,
)
from facecodec.errors import StreamError

CONTROLS, STYLES = 3, 200


def packed() -> tuple[np.ndarray, bytes]:
    rng = np.random.default_rng(0)
    values = rng.laplace(0, 0.1, (CONTROLS + 1, STYLES)) * (
        rng.random((CONTROLS + 1, STYLES)) < 0.3
    )
    values[0, :2] = 50, -900  # beyond the unary code
    tuning = quantise_light(values, np.array([0.05, 0.1, 0.1, 0.2]))
    return tuning.values, pack_light(tuning)


def test_round_trip():
    values, data = packed()
    assert CONTEXTS == 504
    assert np.array_equal(parse_light(data, CONTROLS, STYLES).values, values)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends before"),
        (b"\2" + packed()[1][1:], "kind of tuning"),
        (b"\1\0" + packed()[1][2:], "rows is 0"),
        (b"\1\4\xff\xff\xff\xff" + packed()[1][6:], "styles"),
        (packed()[1][:8], "ends before"),
        (packed()[1] + bytes(5), "bytes after its last value"),
    ],
)
def test_hostile_bytes(data, message):
    with pytest.raises(StreamError, match=re.escape(message)):
        parse_light(data, CONTROLS, STYLES)


def test_a_tuning_of_another_generator_is_refused():
    with pytest.raises(StreamError, match="are wanted"):
        parse_light(packed()[1], CONTROLS, STYLES + 1)


def test_random_bodies_end():
    head = packed()[1][: 6 + CONTROLS + 1]
    for seed in range(30):
        try:
            parse_light(head + np.random.default_rng(seed).bytes(5 * seed), CONTROLS, STYLES)
        except StreamError:
            continue
