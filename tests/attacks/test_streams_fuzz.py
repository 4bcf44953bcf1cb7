"""A slice of the stream fuzzer: seeded, so that a failure can be reproduced."""

from __future__ import annotations

import os

from tests.attacks import fuzz_streams

# Some seconds of one core.
MUTANTS = int(os.environ.get("FACECODEC_FUZZ_MUTANTS", "5000"))


def test_a_slice_of_mutants(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a failing mutant is written
    done = fuzz_streams.fuzz(seed=7, mutants=MUTANTS, seconds=None)
    assert done["mutants"] == MUTANTS
    # It does both: it gets in, and it is turned away.
    assert done["read"] > MUTANTS / 20
    assert done["refused"] > MUTANTS / 20
