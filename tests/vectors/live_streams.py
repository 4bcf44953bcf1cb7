"""The golden streams and datagrams of version 2, and what a reader makes of them."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from facecodec.live import ControlsEncoder, Decoder, LiveSettings, PacketEncoder
from tests.helpers import live_streams, toy_streams
from tests.vectors.golden_streams import COUNT, decoded, report, small_header

FOLDER = Path(__file__).resolve().parent / "live"
LOST, EARLY, DOUBLED = 6, 10, 12  # datagrams that are lost, swapped with the next, and come twice
FLAGS = [0, 0, 1, 1, 0, 0, 2, 0, 0, 3, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0]


def encoder(person: Any, head: Any, audio: Any = None, **settings: Any) -> ControlsEncoder:
    chosen = LiveSettings(**settings)
    return ControlsEncoder(head, person, audio, chosen, live_streams.STREAM_ID)


def golden() -> dict[str, bytes]:
    """Return every golden stream of version 2 by name."""
    rate = {"frame_rate": live_streams.RATE, "time_base": Fraction(1, 90000)}
    person = live_streams.person(toy_streams.light_tuning(COUNT, 90))
    single = encoder(
        person,
        small_header(**rate),
        toy_streams.AUDIO,
        key_frames=8,
        header_keys=2,
        person_bytes=40,
    )
    sound = toy_streams.packets(30, 12)
    files = {
        "single.fcv": b"".join(live_streams.feed(single, 20, flags=FLAGS, audio=sound)),
    }
    # Without a frame rate; segments of three frames, the last one shorter, and one of five.
    head = small_header(frame_rate=None, time_base=Fraction(1, 1000))
    triple = encoder(live_streams.person(None), head, segment_frames=3, key_frames=12)
    times = [Fraction(ms, 1000) for ms in (-40, -7, 0, 1, 2, 3, 250, 251, 1000, 1033, 1066, 1100)]
    files["triple.fcv"] = b"".join(live_streams.feed(triple, 11, times=times))
    wide = encoder(live_streams.person(None), live_streams.header(), segment_frames=5)
    files["wide.fcv"] = b"".join(live_streams.feed(wide, 12, controls=toy_streams.motion(12) * 30))
    return files


def damaged() -> dict[str, bytes]:
    """Return `single.fcv` without some of its bytes, and with one of them changed."""
    data = golden()["single.fcv"]
    at = len(data) // 2
    return {
        "lost.fcv": data[:at] + data[at + 40 :],
        "flip.fcv": data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :],
    }


def datagrams() -> list[bytes]:
    """Return datagrams as they came: one lost, two in the wrong order, one twice."""
    chosen = LiveSettings.for_packets(key_frames=8, copies=1, person_bytes=30)
    head = small_header(frame_rate=live_streams.RATE, time_base=Fraction(1, 90000))
    sender = PacketEncoder(
        head, live_streams.person(None), settings=chosen, stream_id=live_streams.STREAM_ID
    )
    sent = [packet for made in live_streams.feed(sender, 20, flags=FLAGS) for packet in made]
    order = [*range(LOST), *range(LOST + 2, EARLY), EARLY + 1, EARLY, *range(EARLY + 2, len(sent))]
    return [sent[i] for i in order for _ in range(1 + (i == DOUBLED))]


def received(packets: list[bytes]) -> dict[str, Any]:
    """Return what a receiver that waits for two frames makes of datagrams."""
    decoder = Decoder(datagrams=True, depth=2)
    frames = [frame for packet in packets for frame in decoder.feed(packet)]
    assert decoder.header is not None
    rows: list[list[Any]] = []
    for frame in [*frames, *decoder.flush()]:
        pts = frame.time / decoder.header.time_base
        row = [frame.index, int(pts)]
        if not frame.recovered:
            place = frame.placement
            row += [int(frame.flags), frame.controls.astype("<f4").tobytes().hex()]
            row += [None if place is None else place.astype("<f4").tobytes().hex()]
        rows.append(row)
    return {"identity": (decoder.identity or b"").hex(), "frames": rows}


def write() -> None:
    """Write the files and what they decode to."""
    FOLDER.mkdir(exist_ok=True)
    made = golden() | damaged()
    for name, data in made.items():
        (FOLDER / name).write_bytes(data)
        print(f"live/{name}: {len(data)} bytes")
    packets = datagrams()
    (FOLDER / "datagrams.txt").write_text("".join(packet.hex() + "\n" for packet in packets))
    expected = {
        "files": {name: decoded(data) for name, data in golden().items()},
        "damaged": {name: report(data) for name, data in damaged().items()},
        "datagrams": received(packets),
    }
    text = json.dumps(expected, separators=(",", ":")).replace("],[", "],\n[")
    (FOLDER / "expected.json").write_text(text + "\n")
