"""The small tuning: round trip, what its values are, and hostile bytes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from facecodec.bitstream.coding.small_tuning import (
    check_small,
    pack_small,
    parse_small,
    quantise_small,
)
from facecodec.bitstream.coding.tuning import check_tuning, kind_of
from facecodec.errors import StreamError, UsageError

CONTROLS, DIRECTIONS, STYLES = 5, 3, 200
HEAD = 7 + 2 * DIRECTIONS + 1 + CONTROLS * DIRECTIONS  # bytes before the levels


def drawn() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    rows = rng.laplace(0, 0.2, (DIRECTIONS + 1, STYLES))
    rows[0, :2] = 50, -900  # beyond the unary code
    return rows, rng.normal(0, 1, (CONTROLS, DIRECTIONS)) * (1, 0.01, 30)


def packed() -> bytes:
    return pack_small(quantise_small(*drawn(), 0.125))


def test_round_trip():
    wanted = quantise_small(*drawn(), 0.125)
    read = parse_small(packed(), CONTROLS, STYLES)
    assert np.array_equal(read.levels, wanted.levels)
    assert np.array_equal(read.shares, wanted.shares)
    assert np.array_equal(read.values, wanted.values)
    assert pack_small(read) == packed()
    assert kind_of(packed()) == 3
    check_tuning(packed(), CONTROLS)


def test_values_are_near_what_was_meant():
    rows, shares = drawn()
    rows[0, :2] = 0
    values = quantise_small(rows, shares, 1 / 1024).values
    assert values.shape == (CONTROLS + 1, STYLES)
    assert np.abs(values[0] - rows[0]).max() <= 1 / 2048 + 1e-4
    effects = shares @ rows[1:]
    apart = np.abs(values[1:] - effects).max(axis=1)
    # a share is off by less than 1/126 of the direction's largest, a level by half a step
    allowed = np.abs(shares).max(0) / 126 @ np.abs(rows[1:]).max(1)
    assert (apart <= allowed + np.abs(shares).sum(1) / 1024).all()


def test_values_are_sums_in_order_of_exact_products():
    """As the format says it, with Python's own numbers."""
    read = parse_small(packed(), CONTROLS, STYLES)
    for k, i in ((0, 0), (2, 7), (4, 199)):
        total = 0.0
        for d in range(DIRECTIONS):
            whole = int(read.shares[k, d]) * int(read.levels[1 + d, i])
            total += whole * (float(read.steps[1 + d]) * float(read.share_steps[d]))
        assert read.values[1 + k, i] == np.float32(total)


def test_a_direction_that_no_control_takes():
    rows, shares = drawn()
    shares[:, 1] = 0
    assert np.isfinite(quantise_small(rows, shares, 0.125).values).all()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends before"),
        (b"\1" + packed()[1:], "kind of tuning"),
        (b"\3\1" + packed()[2:], "rows is 1"),
        (b"\3\6\0" + packed()[3:], "directions is 0"),
        (b"\3\6\x41" + packed()[3:], "directions is 65"),
        (b"\3\6\3\xff\xff\xff\xff" + packed()[7:], "styles"),
        (packed()[: HEAD - 1], "ends before"),
        (packed() + bytes(5), "bytes after its last value"),
    ],
)
def test_hostile_bytes(data, message):
    with pytest.raises(StreamError, match=re.escape(message)):
        parse_small(data, CONTROLS, STYLES)
    with pytest.raises(StreamError):
        check_small(data, CONTROLS)


def test_a_tuning_of_another_person_s_generator_is_refused():
    for controls, styles in ((CONTROLS, STYLES + 1), (CONTROLS + 1, STYLES)):
        with pytest.raises(StreamError, match="are wanted"):
            parse_small(packed(), controls, styles)
    with pytest.raises(StreamError, match="are wanted"):
        check_small(packed(), CONTROLS - 1)


def test_random_bodies_end():
    for seed in range(30):
        try:
            parse_small(packed()[:HEAD] + np.random.default_rng(seed).bytes(5 * seed), CONTROLS,
                        STYLES)  # fmt: skip
        except StreamError:
            continue


def test_what_the_format_cannot_hold_is_refused():
    with pytest.raises(UsageError, match="does not fit"):
        pack_small(quantise_small(np.ones((66, 4)), np.ones((3, 65)), 0.1))
