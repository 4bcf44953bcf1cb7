"""The relay: what a live sender sends, as a stream that a page can join at any time."""

from __future__ import annotations

import http.client
import io
import threading
from fractions import Fraction

import numpy as np
import pytest

from facecodec.avatar.avatar import Avatar
from facecodec.avatar.tuning import Tuning
from facecodec.bitstream import StreamReader, load_identity_file
from facecodec.decoding.stream import Stream
from facecodec.errors import StreamError, UsageError
from facecodec.live import LiveSettings
from facecodec.live.arrivals import PipeInlet
from facecodec.live.opening import open_link
from facecodec.live.person import LivePerson
from facecodec.web.relay import ADDRESS, Relay, RelayServer, pass_on

FRAMES = 12


@pytest.fixture
def avatar(tiny, tiny_stream):
    return Avatar.from_stream(tiny_stream, model=tiny)


@pytest.fixture
def motion(tiny_stream):
    rng = np.random.default_rng(3)
    first = Stream(tiny_stream).controls[0]
    steps = 0.1 * rng.standard_normal((FRAMES, len(first)))
    return (first + steps.cumsum(0)).astype(np.float32)


def sent(avatar, motion, datagrams=True, person=None):
    """The datagrams of a sender, or the pieces that it writes into a pipe."""
    settings = LiveSettings.for_packets(person_bytes=1500, person_frames=1) if datagrams else None
    link = open_link(avatar, fps=25, datagrams=datagrams, settings=settings, person=person)
    pieces = []
    for i, controls in enumerate(motion):
        data = link.push(controls, Fraction(i, 25))
        pieces += data if datagrams else [data]
    data = link.close()
    return pieces + (data if datagrams else [data])


def opened(*messages):
    return StreamReader(io.BytesIO(b"".join(messages)), "messages")


def read(messages):
    return list(opened(*messages).frames())


@pytest.mark.parametrize("datagrams", [True, False])
def test_a_page_is_sent_a_stream(datagrams, avatar, motion):
    relay = Relay(datagrams=datagrams)
    with relay.page() as take:
        messages = []
        for data in sent(avatar, motion, datagrams):
            relay.feed(data)
            if relay.frames > len(messages):
                messages += take()
    stream = opened(*messages)
    assert Avatar.from_stream(stream, model=avatar.model).latent == pytest.approx(avatar.latent)
    frames = read(messages)
    assert len(frames) == relay.frames >= FRAMES - 4
    got = np.stack([frame.controls for frame in frames])
    assert np.abs(got - motion[-len(got) :]).max() < 0.2
    assert [frame.pts - frames[0].pts for frame in frames[1:3]] == [3600, 7200]


def test_a_page_that_joins_late_and_one_that_is_slow(avatar, motion):
    relay = Relay(datagrams=False)
    pieces = sent(avatar, motion, datagrams=False)
    with relay.page() as slow:
        for data in pieces[:6]:
            relay.feed(data)
        with relay.page() as late:
            for data in pieces[6:]:
                relay.feed(data)
            messages = late()
        assert 2 <= len(messages) < FRAMES
        kept = slow()
    assert kept[0] == messages[0]  # the beginning is never left out
    assert len(kept) <= 9 and kept[-1] == messages[-1]


def test_another_stream_begins_again(avatar, motion):
    relay = Relay(datagrams=False)
    with relay.page() as take:
        for _ in range(2):
            for data in sent(avatar, motion[:3], datagrams=False):
                relay.feed(data)
            first, *rest = take()
            assert first.startswith(b"\x89FCV") and len(rest) == 2


def test_a_tuning_that_comes_late_begins_again(avatar, motion):
    values = 0.1 * np.random.default_rng(1).standard_normal((36, avatar.model.generator.num_styles))
    tuned = Avatar(avatar.model, avatar.latent, Tuning.light(values, np.full(36, 0.05)))
    relay = Relay(datagrams=True)
    beginnings = []
    with relay.page() as take:
        for data in sent(tuned, np.repeat(motion, 20, axis=0)):
            before = relay.frames
            relay.feed(data)
            if relay.frames > before:
                beginnings += [m for m in take() if m.startswith(b"\x89FCV")]
    assert len(beginnings) == 2
    assert [opened(data).tuning is None for data in beginnings] == [True, False]


def test_a_person_who_is_elsewhere(avatar, motion, tmp_path):
    file = avatar.identity_file()
    (tmp_path / "she.fci").write_bytes(file.pack())
    known = load_identity_file(tmp_path / "she.fci")
    pieces = sent(avatar, motion, False, LivePerson.from_identity_file(known, refer=True))
    with pytest.raises(StreamError, match=r"whose \.fci file was not given"):
        for data in pieces:
            Relay(datagrams=False).feed(data)
    relay = Relay(datagrams=False, identity=known)
    with relay.page() as take:
        for data in pieces:
            relay.feed(data)
        assert opened(take()[0]).identity_payload == known.payload


@pytest.fixture
def served(tmp_path):
    pytest.importorskip("websockets", reason="pip install 'facecodec[relay]'")
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<p>page")
    (folder / "page.js").write_text("1")
    (tmp_path / "secret").write_text("secret")
    relay = Relay(datagrams=False)
    server = RelayServer(folder, relay)
    server.start()
    yield server, relay
    server.close()


def test_the_page_is_served_to_this_machine_alone(served):
    server, _ = served

    def get(path, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers.get("Content-Type")

    assert get("/?live") == (200, b"<p>page", "text/html; charset=utf-8")
    assert get("/page.js")[2] == "text/javascript; charset=utf-8"
    for path in ("/../secret", "/%2e%2e/secret", "/none", "/page.js/x", "/%00"):
        assert get(path)[0] == 404
    assert get("/", Host="evil.example")[0] == 403
    assert get("/", Origin="http://evil.example")[0] == 403


def test_messages_go_by_websocket_until_the_end(served, avatar, motion):
    from websockets.sync.client import connect

    server, relay = served
    with connect(f"ws://127.0.0.1:{server.port}{ADDRESS}") as page:
        for data in sent(avatar, motion, datagrams=False):
            relay.feed(data)
        relay.close()
        messages = list(page)  # until the server closes
    assert messages[0].startswith(b"\x89FCV") and 1 <= len(messages) <= FRAMES
    assert len(read(messages[:1])) == 1  # a page that is behind is spared some of the others


def test_a_pipe_is_passed_on_until_it_ends(avatar, motion, tmp_path):
    (tmp_path / "live").write_bytes(b"".join(sent(avatar, motion, datagrams=False)))
    relay = Relay(datagrams=False)
    with (tmp_path / "live").open("rb") as file:
        pass_on(PipeInlet(file.fileno()), False, relay, threading.Event())
    assert relay.frames == FRAMES


def test_misuse_is_said_at_once(tmp_path):
    pytest.importorskip("websockets", reason="pip install 'facecodec[relay]'")
    with pytest.raises(UsageError, match=r"no index\.html"):
        RelayServer(tmp_path, Relay(datagrams=True))
