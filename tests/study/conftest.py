"""Fixtures of the report room: a small stream, a video of it, a browser."""

import time

import pytest

from tests.helpers.browser import chromium
from tests.helpers.streams import make_stream

FRAMES = 6


@pytest.fixture(scope="session")
def stream(generator, rig, tmp_path_factory):
    """A stream of a random person, and nothing fitted."""
    return make_stream(tmp_path_factory.mktemp("stream") / "talk.fcv", generator, rig, FRAMES)


@pytest.fixture(scope="session")
def video(stream):
    """What the stream decodes to, laid back into frames of 640x480."""
    import facecodec

    path = stream.with_suffix(".mp4")
    facecodec.decode(stream, path, size=256, canvas="source")
    return path


@pytest.fixture(scope="session")
def browser():
    """A headless chromium."""
    with chromium() as launch:
        launched = launch(["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser):
    """A page that remembers what went wrong on it and what it asked the network for."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.troubles, page.asked = [], []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on(
        "console",
        lambda message: page.troubles.append(message.text) if message.type == "error" else None,
    )
    page.on("request", lambda request: page.asked.append(request.url))
    yield page
    page.close()


@pytest.fixture
def until(page):
    """Wait until an expression is true on the page, whose policy forbids the usual way."""

    def wait(expression, seconds=60):
        end = time.monotonic() + seconds
        while not page.evaluate(expression):
            assert time.monotonic() < end, f"never came: {expression}; {page.troubles}"
            time.sleep(0.03)

    return wait
