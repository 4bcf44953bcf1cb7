"""A live stream in headless chromium, by way of the relay."""

from __future__ import annotations

import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from facecodec.avatar.avatar import Avatar
from facecodec.decoding.stream import Stream
from facecodec.live.opening import open_link
from facecodec.models import FaceModel
from facecodec.web.export import export
from facecodec.web.relay import Relay, RelayServer
from tests.helpers.streams import make_stream

pytestmark = pytest.mark.slow
FACE = "document.querySelector('face-video')"
SECONDS = 90  # that anything may take
FPS = 25


@pytest.fixture
def server(generator, rig, tmp_path):
    """A relay, and a sender who turns the head until the test ends."""
    pytest.importorskip("websockets", reason="pip install 'facecodec[relay]'")
    path = make_stream(tmp_path / "talk.fcv", generator, rig, 2)
    export(tmp_path / "page", [path], device="cpu")
    avatar = Avatar.from_stream(path, model=FaceModel(generator, rig))
    rest = Stream(path).controls[0]
    relay, stop = Relay(datagrams=False), threading.Event()
    link = open_link(avatar, fps=FPS)

    def send():
        for i in range(SECONDS * FPS):
            controls = rest.copy()
            controls[0] = 2 * np.sin(i / 10)
            relay.feed(link.push(controls, Fraction(i, FPS)))
            if stop.wait(1 / FPS):
                break
        relay.feed(link.close())
        relay.close()

    sender = threading.Thread(target=send)
    served = RelayServer(tmp_path / "page", relay)
    served.start()
    sender.start()
    served.hang_up = stop.set
    yield served
    stop.set()
    sender.join()
    served.close()


def wait(page, expression):
    end = time.monotonic() + SECONDS
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never came: {expression}; {page.troubles}"
        time.sleep(0.05)


def test_a_page_shows_it_as_it_comes(browser, server, capsys):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.troubles, asked = [], []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on(
        "console",
        lambda said: page.troubles.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url)
    wait(page, f"{FACE}.readyState >= 2")
    assert page.evaluate(f"!{FACE}.paused && {FACE}.duration === Infinity")
    picture = f"{FACE}.shadowRoot.querySelector('canvas').toDataURL()"
    before = page.evaluate(picture)
    wait(page, f"{picture} !== {before!r}")
    time.sleep(3)
    stats = page.evaluate(f"{FACE}.stats")
    with capsys.disabled():
        print(f"\nlive: {stats}")
    assert stats["framesPerSecond"] > 0.5 and 1 < stats["kbps"] < 40
    page.evaluate(f"{FACE}.pause()")
    time.sleep(1)
    still = page.evaluate(picture)
    time.sleep(1)
    assert page.evaluate(picture) == still
    page.evaluate(f"{FACE}.play()")
    wait(page, f"{picture} !== {still!r}")
    server.hang_up()
    wait(page, f"{FACE}.ended")
    assert not page.troubles
    assert not [url for url in asked if not url.startswith((server.url[:-6], "blob:", "ws://127"))]
    page.close()
