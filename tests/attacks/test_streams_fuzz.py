"""A slice of the stream fuzzer: seeded, so that a failure can be had again."""

from __future__ import annotations

import os

import fuzz_streams

SECONDS = float(os.environ.get("FACECODEC_FUZZ_SECONDS", "15"))


def test_a_slice_of_mutants(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a failing mutant is written
    done = fuzz_streams.fuzz(seed=7, mutants=None, seconds=SECONDS)
    assert done["mutants"] > 20 * SECONDS
    # It does both: it gets in, and it is turned away.
    assert done["read"] > done["mutants"] / 20
    assert done["refused"] > done["mutants"] / 20
