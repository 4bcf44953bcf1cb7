"""Live streams in datagrams: lost, late, doubled, reordered, of another stream, hostile."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from lossy_link import LinkModel, receive

from facecodec.live import Decoder, LiveSettings, PacketEncoder
from tests.helpers import live_streams, toy_streams

FRAMES = 240
KEY = 30


@pytest.fixture(scope="module")
def sent() -> np.ndarray:
    """The controls as they are coded, [FRAMES, K]."""
    return np.stack([f.controls for f in toy_streams.read(live_streams.stream(FRAMES))])


def packets(**settings) -> list[bytes]:
    return live_streams.packets(FRAMES, **({"key_frames": KEY} | settings))


def test_all_frames_come_over_a_good_link(sent):
    made = packets()
    assert max(map(len, made)) <= 1200
    outcome = receive(made, sent)
    assert (outcome.shown, outcome.wrong) == (FRAMES, 0)


@pytest.mark.parametrize("copies", [0, 2])
@pytest.mark.parametrize("loss", [0.05, 0.3])
@pytest.mark.parametrize("burst", [None, 5])
def test_lost_frames_are_marked_and_the_next_key_ends_it(sent, copies, loss, burst):
    model = LinkModel(loss, burst, late=0.1, doubled=0.1)
    outcome = receive(model.through(packets(copies=copies), seed=3), sent, depth=6)
    assert outcome.wrong == 0
    assert outcome.shown > 0


@pytest.mark.parametrize("burst", [1, 2, 3, 10, 50])
def test_as_many_copies_as_packets_lost_cost_nothing(sent, burst):
    made = packets(copies=3)
    at = KEY + 5
    outcome = receive(made[:at] + made[at + burst :], sent, depth=0)
    assert outcome.wrong == 0
    if burst <= 3:
        assert outcome.shown == FRAMES
    else:
        # What copies bring back is shown; the rest ends with the next key after the burst.
        assert outcome.longest <= burst + KEY
        assert outcome.shown + outcome.held == FRAMES


def test_any_order_within_the_depth_is_no_loss(sent):
    made, r = packets(copies=0), random.Random(5)
    mixed = [p for _, p in sorted((i + r.uniform(0, 4), p) for i, p in enumerate(made))]
    assert receive(mixed, sent, depth=6).shown == FRAMES
    assert receive([p for p in made for _ in range(3)], sent).shown == FRAMES
    both = LinkModel(late=0.3, doubled=0.3).through(made, seed=1)
    assert receive(both, sent, depth=6).shown == FRAMES


@pytest.mark.parametrize("at", [1, 17, KEY, 100, 201])
def test_a_receiver_that_comes_late_shows_from_the_next_key_on(sent, at):
    first = -(-at // KEY) * KEY
    outcome = receive(packets(copies=0)[at:], sent, first=first)
    assert (outcome.shown, outcome.wrong) == (FRAMES - first, 0)


def test_a_lost_identity_comes_again():
    encoder = PacketEncoder(
        live_streams.header(),
        live_streams.person(),
        settings=LiveSettings.for_packets(person_frames=20),
    )
    made = [p for group in live_streams.feed(encoder, 60) for p in group]
    decoder = Decoder(datagrams=True)
    for packet in made[:1] + made[8:]:
        decoder.feed(packet)
    assert (
        decoder.identity == live_streams.person().identity and decoder.tuning == live_streams.TUNING
    )


def test_audio_comes_once_each():
    sound = toy_streams.packets(80, 12)
    encoder = PacketEncoder(live_streams.header(), live_streams.person(), toy_streams.AUDIO)
    decoder = Decoder(datagrams=True)
    for group in live_streams.feed(encoder, 40, audio=sound):
        for packet in group:
            decoder.feed(packet)
            decoder.feed(packet)
    assert decoder.packets() == sound and decoder.packets() == []
    assert decoder.audio == toy_streams.AUDIO


def test_a_restarted_sender_takes_over_and_late_packets_of_the_old_one_do_not():
    old = packets()
    new = live_streams.packets(60, stream_id=b"restart!", key_frames=KEY)
    decoder = Decoder(datagrams=True)
    frames = [
        f
        for p in [*old[:50], new[0], old[50], *old[KEY * 2 :][:3], *new[1:]]
        for f in decoder.feed(p)
    ]
    frames += decoder.flush()
    assert decoder.header is not None and decoder.header.stream_id == b"restart!"
    assert [f.index for f in frames[-60:]] == list(range(60))
    assert decoder.counts.unusable > 0


def test_frames_are_given_out_in_order_and_once():
    model = LinkModel(0.2, 3, late=0.3, most_late=9, doubled=0.2)
    decoder = Decoder(datagrams=True, depth=3)
    frames = [f for p in model.through(packets(copies=1), 8) for f in decoder.feed(p)]
    frames += decoder.flush()
    indices = [f.index for f in frames]
    assert indices == list(range(indices[0], indices[-1] + 1))
    times = [f.time for f in frames]
    assert times == sorted(set(times))
    counts = decoder.counts
    assert counts.frames + counts.recovered == len(frames) and counts.repeated


def test_a_long_silence_is_not_filled():
    made = live_streams.packets(700, key_frames=KEY)
    decoder = Decoder(datagrams=True)
    frames = [f for p in made[:10] + made[600:] for f in decoder.feed(p)]
    assert decoder.counts.skipped > 500 and len(frames) < 150


def test_noise_gives_no_frames_and_no_errors(sent):
    made, r = packets(), random.Random(6)
    decoder = Decoder(datagrams=True)
    for packet in made:
        decoder.feed(r.randbytes(r.randrange(40)))
        hurt = bytearray(packet)
        hurt[r.randrange(len(hurt))] ^= 1 << r.randrange(8)
        for frame in decoder.feed(bytes(hurt)):
            assert frame.recovered or np.array_equal(frame.controls, sent[frame.index])


def test_requests_are_answered_in_the_next_segment():
    encoder = PacketEncoder(
        live_streams.header(), live_streams.person(), settings=LiveSettings.for_packets(copies=0)
    )
    rows = toy_streams.motion(60)
    sizes = []
    for i, row in enumerate(rows):
        if i == 50:
            encoder.request_key()
            encoder.request_person()
        sizes.append(encoder.push(row, Fraction(i, 30)))
    decoder = Decoder(datagrams=True)
    frames = [f for group in sizes[50:] for p in group for f in decoder.feed(p)]
    assert frames[0].index == 50 and decoder.identity is not None


def test_who_comes_late_hears_from_the_first_frame_on():
    encoder = PacketEncoder(
        live_streams.header(), live_streams.person(), toy_streams.AUDIO,
        LiveSettings.for_packets(key_frames=10, person_bytes=20),
    )  # fmt: skip
    made = [p for each in live_streams.feed(encoder, 40) for p in each]
    for late in range(1, 25):
        decoder = Decoder(datagrams=True)
        for packet in made[late:]:
            if decoder.feed(packet):
                assert decoder.audio == toy_streams.AUDIO
                break


def test_the_person_comes_as_fast_where_frames_are_left_out():
    whole = {}
    for skip in (1, 6):
        encoder = PacketEncoder(
            live_streams.header(), live_streams.person(), None,
            LiveSettings.for_packets(person_bytes=20),
        )  # fmt: skip
        decoder, row = Decoder(datagrams=True), np.zeros(encoder.header.num_controls)
        for i in range(0, 400, skip):
            for packet in encoder.push(row, i / live_streams.RATE):
                decoder.feed(packet)
            if decoder.tuning is not None:
                whole[skip] = i
                break
    assert whole[6] <= whole[1] + 12
