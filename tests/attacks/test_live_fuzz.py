"""A slice of the fuzzer of version 2: seeded, so that a failure can be reproduced."""

from __future__ import annotations

import os

from tests.attacks import fuzz_live

MUTANTS = int(os.environ.get("FACECODEC_FUZZ_MUTANTS", "1200"))


def test_a_slice_of_mutants(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a failing mutant is written
    done = fuzz_live.fuzz(seed=7, mutants=MUTANTS)
    assert done["mutants"] == MUTANTS
    assert done["read"] > MUTANTS / 20
    assert done["refused"] > MUTANTS / 50
