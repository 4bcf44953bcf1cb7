"""The browser's decoder, from SPEC.md alone, agrees on whole and damaged streams."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from tests.attacks import fuzz_live, mutations
from tests.helpers import third, toy_streams
from tests.vectors.golden_streams import FOLDER
from tests.vectors.live_streams import FOLDER as LIVE

MUTANTS = 1500  # about two seconds
LIVE_MUTANTS = [*range(60), 666]  # the last one says twice how its audio is coded

pytestmark = pytest.mark.skipif(third.NODE is None, reason="needs node")


def assert_agreement(streams: list[bytes], folder: Path) -> int:
    """Compare both on every stream; return how many were not refused."""
    wrong, read = third.disagreements(streams, folder)
    assert not wrong
    return read


def test_golden_streams(tmp_path):
    streams = [path.read_bytes() for path in sorted(FOLDER.glob("*.fcv"))]
    assert assert_agreement(streams, tmp_path) == len(streams) > 10


def test_golden_streams_of_version_2(tmp_path):
    streams = [path.read_bytes() for path in sorted(LIVE.glob("*.fcv"))]
    assert assert_agreement(streams, tmp_path) == len(streams) == 5


@pytest.mark.parametrize("name", ["single.fcv", "triple.fcv"])
def test_version_2_flipped_cut_and_joined_late(name, tmp_path):
    data = (LIVE / name).read_bytes()
    hurt = [data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :] for at in range(0, len(data), 5)]
    hurt += [data[:at] for at in range(1, len(data), 23)]
    hurt += [data[:at] + data[at + 30 :] for at in range(0, len(data), 23)]
    hurt += [data[:at] + data[at // 2 :] for at in range(0, len(data), 23)]
    assert assert_agreement(hurt, tmp_path) > len(hurt) / 4


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


def test_mutants_of_version_2(tmp_path):
    files = fuzz_live.streams()
    mutants = []
    for i in LIVE_MUTANTS:
        r = random.Random(f"1/{i}")
        data = files[r.choice(list(files))]
        mutants.append(fuzz_live.hurt(r, data) if r.random() < 0.5 else fuzz_live.meant(r, data))
    assert assert_agreement(mutants, tmp_path) > len(mutants) / 3
