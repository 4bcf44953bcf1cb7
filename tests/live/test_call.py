"""`facecodec live`: from a file over sockets and pipes to a file, with a tracker that knows all."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import av
import numpy as np
import pytest

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import FrameFlags, open_stream
from facecodec.errors import FacecodecError, StreamError, UsageError
from facecodec.fit.quantising import FrameQuantiser
from facecodec.generator.sampling import draw_latents
from facecodec.live import LiveFrame, LiveSettings, reading
from facecodec.live.address import Address, parse_address
from facecodec.live.opening import open_link
from facecodec.live.pictures import Tracked
from facecodec.live.receive import receive
from facecodec.live.screen import Screen
from facecodec.live.send import send
from facecodec.models import FaceModel
from facecodec.video.opus import OpusCoder
from facecodec.video.reader import VideoReader
from tests.helpers.clips import RATE, gradient, tone, write_clip
from tests.helpers.commands import run

FRAMES, SIZE = 20, 256


@pytest.fixture(scope="module")
def avatar(generator, rig) -> Avatar:
    rows = draw_latents(generator, generator.num_ws, seed=4, truncation=0.6)
    return Avatar(FaceModel(generator, rig), rows.numpy())


@pytest.fixture(scope="module")
def person(avatar, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("person") / "who.fci"
    avatar.save(path)
    return path


STEP = 0.046875  # one that a stream can name, and that is no rig's


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    pictures = [gradient(shade=3 * i) for i in range(FRAMES)]
    path = tmp_path_factory.mktemp("clip") / "in.mkv"
    return write_clip(path, pictures, "ffv1", pix_fmt="bgr0", audio="aac", rate=48000)


class Known:
    """A tracker that turns the head as the picture is bright, after `seconds`."""

    hurried = predicted = dropped = 0

    def __init__(self, *_: Any, seconds: float = 0.0, **__: Any) -> None:
        self.seconds = seconds

    def see(self, frame: np.ndarray, at: float) -> np.ndarray:
        return frame

    def track(self, frame: np.ndarray, came: float | None = None) -> Tracked:
        time.sleep(self.seconds)
        controls = np.zeros(35, np.float32)
        controls[0] = frame[0, 0, 0] / 100
        return Tracked(controls, FrameFlags(0), np.array([32, 24, 20, 0], np.float32))

    def quantiser(self) -> FrameQuantiser:
        return FrameQuantiser(np.full(35, STEP), np.zeros((35, 35)), 60)


@contextmanager
def tracked(seconds: float = 0.0) -> Iterator[None]:
    def made(*_: Any, **__: Any) -> Known:
        return Known(seconds=seconds)

    with mock.patch("facecodec.live.send.PersonTracker", made):
        yield


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


def wait_until_taken(port: int) -> None:
    """Wait until another process listens at a port of this machine."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        # not by binding it: the other might find it taken
        if f":{port:04X} " in Path("/proc/net/udp").read_text():
            return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens at {port}")


@contextmanager
def receiving(to: str, out: Path, **given: Any) -> Iterator[Future[Any]]:
    """A receiver that listens by the time that the block is entered."""
    from facecodec.live import receive as module

    listens, inlet = threading.Event(), module.UdpInlet

    def opened(address: Address) -> Any:
        made = inlet(address)
        listens.set()
        return made

    with ThreadPoolExecutor(1) as pool, mock.patch.object(module, "UdpInlet", opened):
        future = pool.submit(receive, to, str(out), size=SIZE, silence=5, **given)
        assert listens.wait(10)
        yield future


def test_a_file_becomes_a_stream(tmp_path, clip, person):
    out = tmp_path / "out.fcv"
    with tracked():
        done = send(str(clip), str(out), identity=person, every_frame=True)
    assert done.frames == FRAMES and done.dropped == 0 and done.audio
    assert done.capture_to_bytes.median < 1000
    with open_stream(out) as stream:
        assert stream.header.version == 2 and stream.header.frame_rate == RATE
        assert set(stream.header.control_steps.tolist()) == {STEP}  # the person's
        frames = list(stream)
        times = [frame.pts * stream.header.time_base for frame in frames]
        assert times == [Fraction(i, RATE) for i in range(FRAMES)]
        turned = [float(frame.controls[0]) for frame in frames]
        assert turned == pytest.approx(
            [gradient(shade=3 * i)[0, 0, 0] / 100 for i in range(FRAMES)], abs=0.05
        )
        assert stream.audio.codec == "opus"
    with open_stream(out) as stream:
        packets = [item for item in stream.items() if not hasattr(item, "controls")]
        heard = sum(p.duration for p in packets) * stream.audio.time_base
        assert float(heard) == pytest.approx(FRAMES / RATE, abs=0.12)


def test_frames_are_dropped_where_tracking_is_slow(tmp_path, clip, person, monkeypatch):
    # of a clip of twelve: fewer may wait than in a call
    monkeypatch.setattr(reading, "MOST_PICTURES", 3)
    with tracked(seconds=0.1):
        done = send(str(clip), str(tmp_path / "x.fcv"), identity=person, audio=False)
    assert done.frames + done.dropped == FRAMES and 3 < done.frames < FRAMES
    assert not done.audio
    with open_stream(tmp_path / "x.fcv") as stream:
        times = [frame.pts * stream.header.time_base * RATE for frame in stream]
    assert all(time.denominator == 1 for time in times)  # those of the frames that were sent


def test_a_call_over_udp(tmp_path, clip, person):
    to = f"udp://127.0.0.1:{free_port()}"
    out = tmp_path / "call.mkv"
    with receiving(to, out) as future, tracked(seconds=0.03):
        # the person at once, for a clip of a second
        settings = LiveSettings.for_packets(person_bytes=1000)
        sent = send(str(clip), to, identity=person, settings=settings)
        got = future.result(30)
    assert got.ended == "the sender" and got.audio and got.missing == 0
    assert got.pictures + got.dropped >= sent.frames - 1
    assert got.bytes_to_picture.median > 0
    with VideoReader(out) as reader:
        assert (reader.width, reader.height) == (SIZE, SIZE)
        assert reader.audio.codec == "opus" and list(reader.audio_packets())
        assert sum(1 for _ in reader.frames()) == got.pictures


def test_a_sender_may_begin_again(tmp_path, avatar):
    to = f"udp://127.0.0.1:{free_port()}"
    port = parse_address(to).port
    row = np.zeros(avatar.num_controls, np.float32)
    with receiving(to, tmp_path / "x.mkv", every_frame=True) as future:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for call in range(2):
                link = open_link(avatar, fps=25, datagrams=True)
                for i in range(5):
                    for datagram in link.push(row, i / 25):
                        out.sendto(datagram, ("127.0.0.1", port))
                    time.sleep(0.02)
                out.sendto(b"nonsense", ("127.0.0.1", port))
                for datagram in link.close() if call else ():
                    out.sendto(datagram, ("127.0.0.1", port))
        got = future.result(30)
    assert got.pictures == 10 and got.unusable >= 2 and got.ended == "the sender"
    with VideoReader(tmp_path / "x.mkv") as reader:
        times = [float(frame.pts * reader.time_base) for frame in reader.frames()]
    assert times == pytest.approx([i / 25 for i in range(10)], abs=2e-3)


def test_sound_that_comes_in_any_order_is_written_in_its_own(tmp_path, avatar):
    coder = OpusCoder(1)
    packets = coder.add(tone(1.0, 48000), Fraction(0)) + coder.flush()
    shuffled = packets[:]
    random.Random(3).shuffle(shuffled)
    shuffled.insert(5, replace(packets[9], dts=10**12))  # nobody's sender
    frame = np.zeros(avatar.num_controls, np.float32)
    head = open_link(avatar, fps=25).header
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    with Screen(str(tmp_path / "x.mp4"), "y4m", True) as screen:
        for packet in shuffled:
            screen.hear(packet)
        for i in range(25):
            known = LiveFrame(i, Fraction(i, 25), frame, None, FrameFlags(0), False, b"one")
            screen.show(picture, known, head, coder.parameters)
        screen.hear(packets[0])  # too late
    with VideoReader(tmp_path / "x.mp4") as reader:
        assert [p.data for p in reader.audio_packets()] == [p.data for p in packets]


def test_a_stop_ends_both_whole(tmp_path, clip, person):
    to = f"udp://127.0.0.1:{free_port()}"
    stop = threading.Event()
    seen = []

    def watch(status: Any) -> None:
        seen.append(status)
        if len(seen) == 3:
            stop.set()

    with receiving(to, tmp_path / "x.mkv", stop=stop, watch=watch) as future, tracked(0.02):
        send(str(clip), to, identity=person, stop=stop)
        got = future.result(30)
    assert got.pictures == 3 and got.ended == "a stop"
    assert seen[-1].pictures == 3 and seen[-1].stage in ("nobody", "person")
    with VideoReader(tmp_path / "x.mkv") as reader:
        assert sum(1 for _ in reader.frames()) == 3


def test_nothing_came(tmp_path):
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(FacecodecError, match="nothing came"):
        receive(f"udp://127.0.0.1:{free_port()}", str(tmp_path / "x.mkv"), stop=stop)
    assert not list(tmp_path.iterdir())


def test_misuse_is_refused_at_once(tmp_path, clip, person):
    for to in ("udp://nowhere", "udp://h:0", "udp://h:70000"):
        with pytest.raises(UsageError, match="address"):
            send(str(clip), to, identity=person)
    with pytest.raises(UsageError, match="no host"), tracked():
        send(str(clip), "udp://:5000", identity=person)
    with pytest.raises(UsageError, match="live stream comes from"):
        receive(str(clip), str(tmp_path / "x.mkv"))
    with pytest.raises(UsageError, match="delay"):
        receive("udp://:5000", str(tmp_path / "x.mkv"), delay=-1)
    with pytest.raises(UsageError, match="not an output"):
        receive("udp://:5000", str(tmp_path / "x.avi"))
    taken = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", taken))
        with pytest.raises(FacecodecError, match="listened at"):
            receive(f"udp://127.0.0.1:{taken}", str(tmp_path / "x.mkv"))
    assert str(parse_address("udp://[::1]:5000")) == "udp://[::1]:5000"


def test_a_reference_needs_its_file(tmp_path, clip, person):
    to = f"udp://127.0.0.1:{free_port()}"
    with receiving(to, tmp_path / "x.mkv", identity=person) as future, tracked(0.02):
        send(str(clip), to, identity=person, refer=True, max_frames=8)
        assert future.result(30).pictures
    with receiving(to, tmp_path / "y.mkv") as future, tracked(0.02):
        send(str(clip), to, identity=person, refer=True, max_frames=8)
        with pytest.raises(StreamError, match=r"\.fci"):
            future.result(30)
    assert not (tmp_path / "y.mkv").exists()


def test_the_commands_print_what_came_of_it(tmp_path, clip, person):
    with tracked():
        text = run("live", "send", clip, "--to", tmp_path / "x.fcv", "--identity", person, "--json",
                   "--every-frame", "--max-frames", 5)  # fmt: skip
    done = json.loads(text)
    assert done["frames"] == 5 and done["capture_to_bytes"]["median"] >= 0
    with pytest.raises(UsageError, match="addresses|unasked"):
        run("live", "send", "http://127.0.0.1/x", "--to", "-", "--identity", person)


def start(*arguments: object, **pipes: Any) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "facecodec", "live", *map(str, arguments)]
    return subprocess.Popen(
        words, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler), **pipes
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_output_whole(avatar, number):
    """A stream that goes on, and a viewer who has seen each frame as it came, and enough."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = start(
        "receive", "-", "--out", "-", "--size", SIZE, "--every-frame", "--stats", **pipes
    )
    assert process.stdin and process.stdout and process.stderr
    link = open_link(avatar, fps=25)
    shown = bytearray()
    for i in range(3):
        process.stdin.write(link.push(np.zeros(35, np.float32), i / 25))
        process.stdin.flush()
        while len(shown) < (i + 1) * SIZE * SIZE * 3 // 2:
            part = process.stdout.read1(1 << 20)
            assert part, process.communicate()[1]
            shown += part
    os.kill(process.pid, number)
    shown += process.stdout.read()
    said = process.stderr.read().decode()
    assert process.wait(30) == 0, said
    process.stdin.close()
    assert "3 pictures" in said and "bytes to picture" in said and "ended by a stop" in said
    with av.open(io.BytesIO(shown)) as container:
        assert len(list(container.decode(video=0))) == 3


def test_ctrl_c_before_anything_came_is_a_failure(tmp_path):
    port = free_port()
    process = start("receive", f"udp://127.0.0.1:{port}", "--out", tmp_path / "x.mkv",
                    stderr=subprocess.PIPE)  # fmt: skip
    wait_until_taken(port)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)[1].decode()
    assert process.returncode == 1 and "nothing came" in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())
