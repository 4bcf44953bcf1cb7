"""A decoder in another language, from SPEC.md alone, agrees on whole and damaged streams."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from tests.attacks import mutations
from tests.helpers import third, toy_streams
from tests.vectors.golden_streams import FOLDER

MUTANTS = 1500  # about two seconds

pytestmark = pytest.mark.skipif(third.NODE is None, reason="needs node")


def assert_agreement(streams: list[bytes], folder: Path) -> int:
    """Compare both on every stream; return how many were not refused."""
    wrong, read = third.disagreements(streams, folder)
    assert not wrong
    return read


def test_golden_streams(tmp_path):
    streams = [path.read_bytes() for path in sorted(FOLDER.glob("*.fcv"))]
    assert assert_agreement(streams, tmp_path) == len(streams) > 10


def test_streams_of_every_shape(tmp_path):
    rates = [None, toy_streams.Fraction(25), toy_streams.Fraction(30000, 1001)]
    streams = []
    for seed, rate in enumerate(rates * 3):
        pts = np.cumsum(np.random.default_rng(seed).integers(1, 900, 45)).tolist()
        streams.append(
            toy_streams.write(
                45,
                head=toy_streams.header(frame_rate=rate, precision=["quantised", "f16"][seed % 2]),
                controls=toy_streams.motion(45, 35, seed) * np.float32(3.0 ** (seed - 3)),
                pts=pts if seed > 2 else None,
                audio=toy_streams.packets(80, seed=seed),
                place=seed % 3 > 0,
                segment_frames=[1, 7, 45, None][seed % 4],
            )
        )
    assert assert_agreement(streams, tmp_path) == len(streams)


@pytest.mark.parametrize("name", ["second.fcv", "quantised.fcv", "variable.fcv", "f16.fcv"])
def test_every_byte_flipped(name, tmp_path):
    data = (FOLDER / name).read_bytes()
    flips = [data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :] for at in range(len(data))]
    assert assert_agreement(flips, tmp_path) > len(data) / 3


def test_mutants(tmp_path):
    """Hurt bytes, and chunks that say something else with right CRCs."""
    files = {k: v for k, v in mutations.corpus().items() if k.endswith(".fcv")}
    mutants = [mutations.mutate(random.Random(f"3/{i}"), files)[0] for i in range(MUTANTS)]
    read = assert_agreement(mutants, tmp_path)
    assert MUTANTS / 20 < read < MUTANTS * 19 / 20
