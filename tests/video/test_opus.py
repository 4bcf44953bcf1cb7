"""Sound coded as Opus for a stream: in step, at its rate, and only where it was chosen."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from facecodec.bitstream.audio import AudioPacket
from facecodec.errors import FacecodecError, UsageError
from facecodec.video.audio import CODECS
from facecodec.video.opus import BASE, as_opus, check_audio, chosen_audio, settled
from facecodec.video.reader import VideoReader
from facecodec.video.sound_decoder import SoundDecoder
from tests.helpers.clips import RATE, gradient, write_clip
from tests.helpers.toy_streams import AUDIO

FRAMES = 50
SECONDS = FRAMES / RATE
ENCODERS = {"mp3": "libmp3lame", "opus": "libopus"}


def source(folder: Path, codec: str, layout: str = "mono") -> VideoReader:
    path = write_clip(
        folder / f"{codec}.mkv", [gradient(shade=i) for i in range(FRAMES)],
        audio=ENCODERS.get(codec, codec), layout="stereo" if codec == "vorbis" else layout,
        rate=48000 if codec == "opus" else 44100,
    )  # fmt: skip
    return VideoReader(path)


def heard(parameters, packets: list[AudioPacket]) -> tuple[np.ndarray, float]:
    """The samples [N] at 48000 Hz of the first channel, and when they begin, in seconds."""
    decoder, parts, begin = SoundDecoder(parameters), [], None
    resampler = av.AudioResampler("flt", "mono", 48000)
    for packet in packets:
        frames, time = decoder.decode(packet)
        begin = float(time) if begin is None and frames else begin
        for frame in frames:
            frame.pts = None
            parts += [f.to_ndarray()[0] for f in resampler.resample(frame)]
    return np.concatenate(parts), begin


def lateness(samples: np.ndarray, begin: float) -> float:
    """Seconds by which a sine of 440 Hz that began at 0 is late."""
    times = begin + np.arange(len(samples)) / 48000
    wave = np.exp(-2j * np.pi * 440 * times) @ (samples * (times > 0.5) * (times < 1.5))
    return float(np.angle(1j * wave) / (2 * np.pi * 440))


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_is_coded_in_step(tmp_path, codec):
    with source(tmp_path, codec) as reader:
        parameters, packets = as_opus(reader.audio, reader.audio_packets(), 16_000)
        kept = list(packets)
        before, start = heard(reader.audio, list(reader.audio_packets()))
    assert parameters.codec == "opus" and parameters.time_base == BASE
    assert parameters.channels == 1 and parameters.extradata.startswith(b"OpusHead")
    assert abs(lateness(*heard(parameters, kept)) - lateness(before, start)) < 0.001
    assert sum(p.duration for p in kept) * BASE == pytest.approx(SECONDS, abs=0.1)
    assert [p.pts for p in kept] == sorted(p.pts for p in kept)


@pytest.mark.parametrize("rate", [6_000, 16_000, 64_000])
def test_it_has_the_rate_that_was_asked_for(tmp_path, rate):
    with source(tmp_path, "flac", "stereo") as reader:
        parameters, coded = as_opus(reader.audio, reader.audio_packets(), rate)
        bits = 8 * sum(len(p.data) for p in coded)
    assert 0.8 * rate < bits / SECONDS < 1.3 * rate  # the rate varies with the sound
    assert parameters.channels == (2 if rate >= 32_000 else 1)


def test_what_is_lost_is_silent_and_the_rest_in_step(tmp_path):
    with source(tmp_path, "flac") as reader:
        base = reader.audio.time_base
        packets = [p for p in reader.audio_packets() if not 0.6 < p.pts * base < 1.0]
        parameters, coded = as_opus(reader.audio, iter(packets), 16_000)
        samples, begin = heard(parameters, list(coded))
    loud = np.abs(samples) > 0.05
    at = begin + np.flatnonzero(loud) / 48000
    assert max(np.diff(at)) == pytest.approx(0.4, abs=0.06)
    samples *= begin + np.arange(len(samples)) / 48000 > 1.1
    assert abs(lateness(samples, begin)) < 0.001


def test_only_dear_sound_is_coded_where_nothing_is_chosen(tmp_path):
    cheap = [AudioPacket(i, i, 1, b"x" * 20) for i in range(50)]
    track = type(AUDIO)("mp3", 24000, 1, b"", Fraction(1, 50))  # 8 kilobits a second
    assert settled(track, lambda: iter(cheap), "auto") == "copy"
    assert settled(None, lambda: iter(()), "opus") == "none"
    with source(tmp_path, "flac") as dear:
        packets = dear.audio_packets
        assert settled(dear.audio, packets, "auto") == "opus"
        assert chosen_audio(dear.audio, packets, "opus", None).parameters.codec == "opus"
        kept = chosen_audio(dear.audio, packets, "copy", None)
        assert kept.parameters == dear.audio and list(kept.packets) == list(packets())
        assert chosen_audio(dear.audio, packets, "none", None).parameters is None


@pytest.mark.parametrize(
    ("choice", "rate", "words"),
    [
        ("mp3", None, "no audio 'mp3'"),
        ("opus", 5_999, "5999"),
        ("auto", 300_000, "300000"),
        ("copy", 16_000, "no bit rate"),
    ],
)
def test_misuse_is_refused(choice, rate, words):
    with pytest.raises(UsageError, match=words):
        check_audio(choice, rate)


def test_sound_that_cannot_be_decoded_is_said_before_any_work(tmp_path):
    garbage = [AudioPacket(1024 * i, 1024 * i, 1024, bytes([i]) * 300) for i in range(40)]
    track = type(AUDIO)("flac", 44100, 1, b"\1\2", Fraction(1, 44100))
    for choice in ("copy", "none"):
        assert settled(track, lambda: iter(garbage), choice) == choice
    for choice in ("auto", "opus"):
        with pytest.raises(FacecodecError, match=r"flac.*copy"):
            settled(track, lambda: iter(garbage), choice)
    assert settled(track, lambda: iter(()), "opus") == "opus"  # no sound, no trouble
    with source(tmp_path, "flac") as reader:
        assert settled(reader.audio, reader.audio_packets, "opus") == "opus"
