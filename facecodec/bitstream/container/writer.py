"""Writes a `.fcv` stream of unknown length to any file object, a pipe included."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import limits
from facecodec.bitstream.audio import AudioPacket, AudioParameters
from facecodec.bitstream.coding.header import StreamHeader
from facecodec.bitstream.coding.identity import DEFAULT_STEP, pack_identity
from facecodec.bitstream.coding.segment import FrameFlags, Segment, pack_segment
from facecodec.bitstream.coding.timing import usual_frames
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.audio import (
    check_packet,
    pack_audio_parameters,
    pack_packets,
)
from facecodec.bitstream.container.context import pack_pictures, pack_plate
from facecodec.bitstream.container.index import Index, IndexEntry
from facecodec.bitstream.container.tuning_parts import split_tuning
from facecodec.bitstream.context import ContextPictures, ContextPlate
from facecodec.errors import UsageError

_PERSON = (chunks.IDENTITY, chunks.IDENTITY_REFERENCE, chunks.TUNING)
_AUDIO_GROUP_BYTES = 1 << 18  # bytes of packets kept for one chunk


class StreamWriter:
    """Writes header, identity latent, then frames and audio as they come; `close` adds the index.

    Every full segment is written and flushed at once, so that an encode cut short leaves a stream
    that decodes up to the cut. As a context manager it closes on success only.

    header: of the stream, which becomes one of version 1. segment_frames: frames a segment, 1 to
    240; about five seconds when left out. Raises UsageError for another number.
    """

    def __init__(
        self, file: BinaryIO, header: StreamHeader, segment_frames: int | None = None
    ) -> None:
        if segment_frames is None:
            segment_frames = usual_frames(header)
        if not 1 <= segment_frames <= limits.MAX_SEGMENT_FRAMES:
            raise UsageError(f"segment_frames {segment_frames} is not in 1 to 240")
        # What is written here is a file; `facecodec.live` writes version 2.
        self.header = header = replace(header, stream_id=b"", key_frames=None)
        self.segment_frames = segment_frames
        self.index = Index()
        self.frames = 0
        self._file = file
        self._offset = 0
        self._spent: Counter[bytes] = Counter()  # bytes written, by the type of chunk
        self._group_offset = 0
        self._seed = 0
        self._has_identity = False
        self._has_audio = False
        self._has_context = False
        self._closed = False
        self._pending: list[tuple[int, NDArray[np.float32], NDArray[np.float32] | None, int]] = []
        self._last_pts: int | None = None
        self._audio: list[AudioPacket] = []
        self._audio_bytes = 0
        self._packets = 0  # written
        head = chunks.pack_chunk(chunks.STREAM_MAGIC, header.pack(), 0)
        self._write(head)
        self._seed = int.from_bytes(head[-chunks.CRC_BYTES :], "little")

    @property
    def bytes_written(self) -> int:
        """Return the bytes written so far; of the whole stream once it is closed."""
        return self._offset

    @property
    def person_bytes(self) -> int:
        """Return the bytes of the person written so far: identity or a reference, and tuning."""
        return sum(self._spent[k] for k in _PERSON)

    @property
    def audio_bytes(self) -> int:
        """Return the bytes of audio written so far, its parameters included."""
        return self._spent[chunks.AUDIO] + self._spent[chunks.AUDIO_PARAMETERS]

    @property
    def context_bytes(self) -> int:
        """Return the bytes of the context written so far, its plate included."""
        return self._spent[chunks.CONTEXT] + self._spent[chunks.CONTEXT_PLATE]

    def write_identity(
        self,
        w_plus: NDArray[np.float32],
        w_mean: NDArray[np.float32],
        steps: NDArray[np.floating] | float | None = DEFAULT_STEP,
    ) -> None:
        """Write the identity latent, [num_ws, w_dim], coded against w_mean, [w_dim].

        steps: quantiser step of W+, one or [num_ws]. In the exact precisions the latent is stored
        as float32 whatever the steps.
        Raises UsageError for a latent of another shape.
        """
        shape = (self.header.num_ws, self.header.w_dim)
        if np.shape(w_plus) != shape or np.shape(w_mean) != shape[1:]:
            raise UsageError(f"the identity latent must be {shape}, not {np.shape(w_plus)}")
        exact = self.header.precision != "quantised"
        self.write_identity_payload(pack_identity(w_plus, w_mean, None if exact else steps))

    def write_identity_payload(self, payload: bytes) -> None:
        """Write an identity that is already coded: out of a `.fci` file or another stream."""
        self._identity(chunks.IDENTITY, payload)

    def write_identity_reference(self, sha256: bytes) -> None:
        """Write the SHA-256 of the `.fci` file that holds the identity, instead of the identity.

        Raises UsageError for anything but 32 bytes.
        """
        if len(sha256) != 32:
            raise UsageError("a SHA-256 has 32 bytes")
        self._identity(chunks.IDENTITY_REFERENCE, sha256)

    def _identity(self, kind: bytes, payload: bytes) -> None:
        if self._has_identity:
            raise UsageError("a stream has one identity; it is already written")
        self._chunk(kind, payload)
        self._has_identity = True

    def set_audio(self, parameters: AudioParameters) -> None:
        """Announce audio; call it before the first frame.

        Raises UsageError when called twice.
        """
        self._before_frames("audio parameters")
        if self._has_audio:
            raise UsageError("a stream has one audio track; its parameters are already written")
        self._chunk(chunks.AUDIO_PARAMETERS, pack_audio_parameters(parameters))
        self._has_audio = True

    def write_tuning(self, data: bytes) -> None:
        """Write the tuning, opaque bytes, at most 256 MiB; call it before the first frame."""
        self._before_frames("tuning")
        for payload in split_tuning(data):
            self._chunk(chunks.TUNING, payload)

    def write_context_plate(self, plate: ContextPlate) -> None:
        """Write the plate of the context; call it before the first frame.

        Raises UsageError when called twice.
        """
        self._before_frames("the context's plate")
        if self._has_context:
            raise UsageError("a stream has one context; its plate is already written")
        self._chunk(chunks.CONTEXT_PLATE, pack_plate(plate))
        self._has_context = True

    def write_context(self, pictures: ContextPictures) -> None:
        """Add the context of the frames to come, up to the next call; they begin a segment.

        Raises UsageError before `write_context_plate`.
        """
        if not self._has_context:
            raise UsageError("write the context's plate before its other pictures")
        payload = pack_pictures(pictures)
        self._flush()
        self._chunk(chunks.CONTEXT, payload)

    def _before_frames(self, what: str) -> None:
        if self.frames:
            raise UsageError(f"{what} must be written before the first frame")

    def write_frame(
        self,
        pts: int,
        controls: NDArray[np.float32],
        placement: NDArray[np.floating] | None = None,
        flags: FrameFlags | int = 0,
    ) -> None:
        """Add one frame.

        pts: in units of the header's time base, larger than the frame's before. controls:
        [num_controls] in rig units, finite. placement: [4] centre x, y and size in source pixels,
        angle in radians; None where there is none. flags: of FrameFlags.
        Raises UsageError before the identity is written, for a time that does not rise or is out of
        range, and for controls or a placement that are not finite or not of the right shape.
        """
        if not self._has_identity:
            raise UsageError("write the identity before the first frame")
        if abs(pts) > limits.MAX_PTS:
            raise UsageError(f"frame {self.frames}: pts {pts} is out of range")
        if self._last_pts is not None and pts <= self._last_pts:
            raise UsageError(f"frame {self.frames}: pts {pts} does not rise from {self._last_pts}")
        row = np.array(controls, np.float32)
        if row.shape != (self.header.num_controls,) or not np.isfinite(row).all():
            raise UsageError(f"frame {self.frames}: controls must be finite, {row.shape} given")
        if self.header.precision == "f16" and np.abs(row).max() > limits.MAX_F16:
            raise UsageError(f"frame {self.frames}: a control is too large for precision f16")
        place = None if placement is None else np.array(placement, np.float32)
        if place is not None and (place.shape != (4,) or not np.isfinite(place).all()):
            raise UsageError(f"frame {self.frames}: placement must be four finite numbers")
        self._pending.append((int(pts), row, place, int(flags)))
        self._last_pts = int(pts)
        self.frames += 1
        if len(self._pending) == self.segment_frames:
            self._flush()

    def write_audio(self, packet: AudioPacket) -> None:
        """Add one audio packet; packets are grouped and written with the next segment.

        Raises UsageError before `set_audio`.
        """
        if not self._has_audio:
            raise UsageError("call set_audio before writing packets")
        check_packet(packet)
        self._audio.append(packet)
        self._audio_bytes += len(packet.data) + 32
        if self._audio_bytes >= _AUDIO_GROUP_BYTES:
            self._flush_audio()

    def close(self) -> None:
        """Write what is pending and the end chunk; the file object itself stays open.

        Raises UsageError before the first frame: readers take a stream without any for damaged.
        """
        if self._closed:
            return
        self._flush()
        if not self.index.entries:
            raise UsageError("a stream holds at least one frame: write_frame before close")
        self._flush_audio()
        self._chunk(chunks.END, self.index.pack(self.header, self._offset))
        self._file.flush()
        self._closed = True

    def __enter__(self) -> StreamWriter:
        return self

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        if error is None:
            self.close()

    def _flush(self) -> None:
        if not self._pending:
            return
        self._flush_audio()
        pts, controls, placement, flags = zip(*self._pending, strict=True)
        first = self.frames - len(self._pending)
        segment = Segment.of(first, pts, flags, controls, placement)
        entry = IndexEntry(self._group_offset, segment.first, len(segment), pts[0])
        self._chunk(chunks.SEGMENT, pack_segment(self.header, segment))
        self._file.flush()
        self.index.add(entry)
        self._pending.clear()
        self._group_offset = self._offset

    def _flush_audio(self) -> None:
        if self._audio:
            self._chunk(chunks.AUDIO, pack_packets(self._packets, self._audio))
            self._packets += len(self._audio)
            self._audio.clear()
            self._audio_bytes = 0

    def _chunk(self, kind: bytes, payload: bytes) -> None:
        if self._closed:
            raise UsageError("the stream is closed")
        before = self._offset
        self._write(chunks.pack_chunk(kind, payload, self._seed))
        self._spent[kind] += self._offset - before
        in_group = kind == chunks.CONTEXT and self.index.entries
        if kind not in (chunks.SEGMENT, chunks.AUDIO) and not in_group:
            self._group_offset = self._offset  # frames can begin here at the earliest

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._offset += len(data)
