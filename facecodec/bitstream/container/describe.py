"""What a stream is, in names and numbers: the facts `facecodec info` shows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any

from facecodec.bitstream.coding.segment import FrameFlags
from facecodec.bitstream.container.chunks import Damage
from facecodec.bitstream.container.reader import StreamReader
from facecodec.bitstream.limits import LIVE_VERSION

# What the bytes of a stream are spent on.
PARTS = ("identity", "controls", "placement", "audio", "tuning", "context", "container")

FLAG_WORDS = {FrameFlags.NO_FACE: "no face", FrameFlags.LOW_CONFIDENCE: "low confidence"}


@dataclass(frozen=True)
class FlaggedFrames:
    """Neighbouring frames flagged alike: numbers of the first and last, their seconds, and how."""

    first: int
    last: int
    start: float
    end: float
    flag: str

    def __str__(self) -> str:
        """Return one line: frames 5 to 7 (0.20 to 0.28 s): low confidence."""
        if self.first == self.last:
            return f"frame {self.first} ({self.start:.2f} s): {self.flag}"
        times = f"{self.start:.2f} to {self.end:.2f} s"
        return f"frames {self.first} to {self.last} ({times}): {self.flag}"


def flag_words(flags: int) -> str:
    """Return what `FrameFlags` say, nothing for none."""
    return ", ".join(words for flag, words in FLAG_WORDS.items() if flags & flag)


def flagged_frames(times: Iterable[float], words: Iterable[str]) -> list[FlaggedFrames]:
    """Return the frames with words; times: of every frame in seconds, words: nothing for most."""
    runs = []
    for said, group in groupby(enumerate(zip(times, words, strict=True)), lambda row: row[1][1]):
        if said:
            members = list(group)
            (first, (start, _)), (last, (end, _)) = members[0], members[-1]
            runs.append(FlaggedFrames(first, last, start, end, said))
    return runs


def list_flagged(stream: StreamReader) -> list[FlaggedFrames]:
    """Return which frames of a stream carry flags; decodes every frame."""
    base = float(stream.header.time_base)
    frames = [(frame.pts * base, flag_words(frame.flags)) for frame in stream.frames()]
    return flagged_frames([time for time, _ in frames], [words for _, words in frames])


def duration(stream: StreamReader) -> Fraction:
    """Return the seconds from the first frame to the end of the last; 0 without frames."""
    entries = stream.index().entries
    if not entries:
        return Fraction(0)
    base = stream.header.time_base
    last = [frame.pts for frame in stream.frames(entries[-1].pts * base)]
    if not last:
        return Fraction(0)
    span = (last[-1] - entries[0].pts) * base
    if stream.header.frame_rate:
        return span + 1 / stream.header.frame_rate
    frames = stream.index().frames
    return span + (span / (frames - 1) if frames > 1 else base)


def describe(stream: StreamReader, rates: bool = False) -> dict[str, Any]:
    """Return the facts of a stream in a file, ready for JSON; rationals as '30000/1001'.

    Reads the header, what comes before the first frame, the index and the last segment, so that
    it takes no longer for a long stream than for a short one; `damage` is what was met there, and
    `coverage` names it. The index is taken at its word. rates: decode every frame, and add where
    the bytes go.
    Raises UsageError for a pipe.
    """
    header = stream.header
    index = stream.index()
    seconds = float(duration(stream))
    reference = stream.identity_reference
    facts: dict[str, Any] = {
        "version": header.version,
        "creator": header.creator,
        "generator": header.generator_name,
        "generator_sha256": header.generator_sha256.hex(),
        "rig_sha256": header.rig_sha256.hex(),
        "resolution": header.resolution,
        "width": header.width,
        "height": header.height,
        "precision": header.precision,
        "quality": header.quality,
        "num_controls": header.num_controls,
        "time_base": str(header.time_base),
        "frame_rate": str(header.frame_rate) if header.frame_rate else None,
        "duration": seconds,
        "segments": len(index.entries),
        "identity": _identity(stream),
        "identity_reference": reference.hex() if reference else None,
        "audio": _audio(stream),
        "context": _context(stream),
        "metadata": header.metadata,
        "bytes": stream.size(),
        "frames": index.frames,
    }
    if seconds:
        facts["kbps"] = 8 * facts["bytes"] / 1000 / seconds
    if rates:
        facts |= _rates(stream, seconds)
    looked = "header, preamble, index and last segment"
    if header.version == LIVE_VERSION:  # which has no index: all chunks were passed through
        facts |= {"stream_id": header.stream_id.hex(), "key_frames": header.key_frames}
        looked = "header, chunks, and frames from the last key on"
    facts["coverage"] = "all chunks" if rates else looked
    facts["damage"] = [str(damage) for damage in stream.damage]
    return facts


def _rates(stream: StreamReader, seconds: float) -> dict[str, Any]:
    split = stream.rate_split()
    sizes = {name: getattr(split, f"{name}_bytes") for name in PARTS}
    facts: dict[str, Any] = {"frames": split.frames}
    facts |= {f"{name}_bytes": size for name, size in sizes.items()}
    if seconds:
        facts |= {f"{name}_kbps": 8 * size / 1000 / seconds for name, size in sizes.items()}
    return facts


def list_chunks(stream: StreamReader) -> list[dict[str, Any]]:
    """Return a row for every chunk of a stream in a file, and for bytes that are none."""
    rows: list[dict[str, Any]] = []
    for chunk in stream.all_chunks():
        row: dict[str, Any] = {"offset": chunk.offset, "bytes": chunk.size}
        if isinstance(chunk, Damage):
            row |= {"type": "damage", "critical": None, "note": chunk.reason}
        else:
            row |= {"type": chunk.name, "critical": chunk.critical, "note": ""}
        rows.append(row)
    return rows


def _identity(stream: StreamReader) -> str:
    if stream.identity_reference is not None:
        return "in a .fci file"
    if stream.identity_payload is None:
        return "missing"
    return f"in the stream, SHA-256 {hashlib.sha256(stream.identity_payload).hexdigest()[:12]}"


def _context(stream: StreamReader) -> dict[str, Any] | None:
    plate = stream.context_plate
    if plate is None:
        return None
    return {"codec": plate.codec, "width": plate.width, "height": plate.height}


def _audio(stream: StreamReader) -> dict[str, Any] | None:
    if stream.audio is None:
        return None
    return {
        "codec": stream.audio.codec,
        "sample_rate": stream.audio.sample_rate,
        "channels": stream.audio.channels,
    }
