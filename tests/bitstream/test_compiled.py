"""Tracks coded in C++ have the bits of those coded in Python, and refuse the same bytes."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from facecodec.bitstream.coding import compiled, tracks
from facecodec.bitstream.coding.range_coder import RangeDecoder, RangeEncoder
from facecodec.bitstream.coding.segment import CONTROLS, INITIAL
from facecodec.bitstream.limits import MAX_LEVEL
from facecodec.errors import StreamError

Coder = RangeEncoder | RangeDecoder


def choose(way: str, monkeypatch) -> None:
    library = compiled.library() if way == "compiled" else None
    if way == "compiled" and library is None:
        pytest.skip("the library cannot be built here")
    monkeypatch.setattr(compiled, "worth_it", lambda coder, values: library)


def walks(seed: int) -> np.ndarray:
    """Return a track of random size that moves little or far, up to the largest levels."""
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(1, 40)), int(rng.integers(1, 40))
    steps = rng.standard_normal(shape) * 10 ** rng.uniform(-2, 4.5)
    return np.clip(np.round(np.cumsum(steps, 0)), -MAX_LEVEL, MAX_LEVEL).astype(np.int64)


def state(coder: Coder) -> tuple:
    return tuple(vars(coder).values())


def both(monkeypatch, job) -> list:
    """Return what a job gives both ways, or why it is refused."""
    results = []
    for way in ("python", "compiled"):
        with monkeypatch.context() as patch:
            choose(way, patch)
            try:
                results.append(job())
            except StreamError as error:
                results.append(str(error))
    return results


@pytest.mark.parametrize("seed", range(12))
def test_both_encoders_leave_the_same_bytes_and_state(seed, monkeypatch):
    levels = walks(seed)
    frames, width = levels.shape

    def encoded():
        coder, memory = RangeEncoder(INITIAL), tracks.TrackMemory.empty(width)
        for rows in (levels, levels[::-1]):  # the second goes on where the first ended
            tracks.code_track(coder, CONTROLS, width, frames, rows, memory)
        return state(coder), memory, coder.finish()

    python, cpp = both(monkeypatch, encoded)
    assert python == cpp

    def decoded():
        coder, memory = RangeDecoder(python[-1], INITIAL), tracks.TrackMemory.empty(width)
        rows = [tracks.code_track(coder, CONTROLS, width, frames, None, memory) for _ in range(2)]
        return state(coder), memory, np.stack(rows).tolist()

    there, back = both(monkeypatch, decoded)
    assert there == back
    assert there[-1] == [levels.tolist(), levels[::-1].tolist()]


def decoded(data: bytes, frames: int, width: int) -> tuple:
    coder = RangeDecoder(data, INITIAL)
    rows = tracks.code_track(coder, CONTROLS, width, frames, None)
    return state(coder), rows.tolist()


def test_both_decoders_make_the_same_of_any_bytes(monkeypatch):
    rng = np.random.default_rng(1)
    for _ in range(100):
        frames, width = (int(n) for n in rng.integers(1, 12, 2))
        data = rng.integers(0, 256, int(rng.integers(0, 40)), dtype=np.uint8).tobytes()
        python, cpp = both(monkeypatch, partial(decoded, data, frames, width))
        assert python == cpp


@pytest.mark.parametrize(
    ("levels", "why"),
    [
        ([[MAX_LEVEL + 1]], "out of range"),
        ([[0], [MAX_LEVEL], [MAX_LEVEL + 2]], "out of range"),
        ([[1 << 60]], "48 bits"),
        ([[0], [1 << 60]], "48 bits"),
    ],
)
def test_both_ways_refuse_what_is_too_large(levels, why, monkeypatch):
    def encoded():
        coder = RangeEncoder(INITIAL)
        with pytest.raises(StreamError, match=why):
            tracks.code_track(coder, CONTROLS, 1, len(levels), np.array(levels))
        return coder.finish()

    monkeypatch.setattr(compiled, "worth_it", lambda coder, values: None)
    told = both(monkeypatch, partial(decoded, encoded(), len(levels), 1))
    assert told[0] == told[1]
    assert why in told[0]
    choose("compiled", monkeypatch)
    encoded()


def test_the_structure_is_the_compilers():
    library = compiled.library()
    if library is None:
        pytest.skip("the library cannot be built here")
    assert library.facecodec_track_size() == ctypes.sizeof(compiled.Job)


def test_python_codes_few_values_and_all_where_there_is_no_compiler(monkeypatch, tmp_path, caplog):
    coder = RangeEncoder(INITIAL)
    monkeypatch.setattr(compiled._Work, "values", 0)
    assert compiled.worth_it(coder, 1000) is None
    monkeypatch.setattr(compiled._Work, "values", compiled.VALUES_IN_PYTHON)
    assert compiled.worth_it(coder, compiled.LEAST_VALUES - 1) is None
    monkeypatch.setenv("CXX", str(tmp_path / "none"))
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path))
    caplog.set_level("INFO", "cuda_ops")
    compiled.library.cache_clear()
    try:
        assert compiled.worth_it(coder, 1000) is None
    finally:
        compiled.library.cache_clear()
    assert "no compiler" in caplog.messages[-1]


def test_it_needs_no_torch():
    code = "import sys; import facecodec.bitstream; print('torch' in sys.modules)"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.stdout == "False\n", result.stderr
