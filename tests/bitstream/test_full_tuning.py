"""A full tuning in bytes: what goes in comes out, and what is wrong is refused."""

from __future__ import annotations

import numpy as np
import pytest

from facecodec.bitstream.coding.full_tuning import (
    FULL_KIND,
    pack_full,
    parse_full,
    quantise_full,
)
from facecodec.bitstream.coding.light_tuning import pack_light, quantise_light
from facecodec.bitstream.coding.tuning import kind_of
from facecodec.errors import StreamError, UsageError

LIGHT = pack_light(quantise_light(np.eye(3, 10), np.full(3, 0.25)))


@pytest.fixture
def values():
    return np.random.default_rng(2).normal(0, 0.1, 5000)


def test_round_trip(values):
    payload = pack_full(quantise_full(LIGHT, values, 0.0078125))
    assert kind_of(payload) == FULL_KIND
    read = parse_full(payload, 5000)
    assert read.light == LIGHT
    near = np.clip(values, -127 * 0.0078125, 127 * 0.0078125)
    assert np.abs(read.values - near).max() <= 0.0078125 / 2 + 1e-7
    assert pack_full(read) == payload


def test_lies_are_refused(values):
    payload = pack_full(quantise_full(LIGHT, values, 0.01))
    with pytest.raises(StreamError, match="5000 weights, where 4999"):
        parse_full(payload, 4999)
    for wrong in (payload[:-1], payload + b"x", payload[:80], b"\x01" + payload[1:], b""):
        with pytest.raises(StreamError):
            parse_full(wrong, 5000)
    with pytest.raises(StreamError, match="kind of tuning"):
        kind_of(b"\x07")
    with pytest.raises(UsageError, match="0 weights"):
        pack_full(quantise_full(LIGHT, np.zeros(0), 0.01))


def test_a_bomb_is_not_inflated(values):
    """More zeros than the weights it names: reading stops one byte past them."""
    bomb = quantise_full(LIGHT, np.zeros(1 << 22), 0.01)
    payload = bytearray(pack_full(bomb))
    place = payload.index(b"\x80\x80\x80\x02", len(LIGHT))
    payload[place : place + 4] = b"\x88\x80\x80\x00"  # a varint of 8
    with pytest.raises(StreamError):
        parse_full(bytes(payload), 8)
