"""The exported page in headless chromium: it plays in step with its sound, without a word."""

from __future__ import annotations

import base64
import io
import os
import shutil
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

import cuda_ops
from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import AudioPacket, StreamWriter, open_stream
from facecodec.bitstream.audio import AudioParameters
from facecodec.decoding.stream import Stream
from facecodec.models import FaceModel
from facecodec.web.export import export
from facecodec.web.serve import FolderServer
from tests.helpers.streams import make_stream

pytestmark = pytest.mark.slow
FRAMES = 100  # four seconds
LATE = 60  # ms that a picture may be off the sound, in the middle
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
FACE = "document.querySelector('face-video')"


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install it")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=path, args=ARGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def sounding(generator, rig, tmp_path_factory):
    """A stream of a random person with Opus, which is silence."""
    folder = tmp_path_factory.mktemp("sounding")
    plain = open_stream(make_stream(folder / "plain.fcv", generator, rig, FRAMES))
    head = b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0"
    path = folder / "talk.fcv"
    with path.open("wb") as file, StreamWriter(file, plain.header) as writer:
        writer.write_identity_payload(plain.identity_payload)
        writer.set_audio(AudioParameters("opus", 48000, 1, head, Fraction(1, 48000)))
        for frame in plain.frames():
            for k in range(2):
                at = 960 * (2 * frame.index + k)
                writer.write_audio(AudioPacket(at, at, 960, b"\xf8\xff\xfe"))
            writer.write_frame(frame.pts, frame.controls, frame.placement, frame.flags)
    return path


@pytest.fixture(scope="module")
def url(sounding, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "talks"
    export(folder, [sounding], device="cpu")
    with FolderServer(folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.url
        server.shutdown()


@pytest.fixture
def page(browser, url, request):
    width = getattr(request, "param", 1280)
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.troubles, page.asked = [], []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on(
        "console",
        lambda said: page.troubles.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.on("request", lambda asked: page.asked.append(asked.url))
    page.goto(url)
    wait(page, f"{FACE}.readyState >= 2")
    yield page
    assert not page.troubles
    assert not [asked for asked in page.asked if not asked.startswith((url, "blob:"))]
    page.close()


def wait(page, expression, seconds=60):
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never came: {expression}; {page.troubles}"
        time.sleep(0.05)


def test_pictures_are_ours(page, sounding, generator, rig):
    page.evaluate(f"{FACE}.setAttribute('size', '256'); {FACE}.currentTime = 1.0")
    wait(page, f"!{FACE}.seeking && {FACE}.videoWidth === 256")
    time.sleep(1)
    png = page.evaluate(
        f"{FACE}.shadowRoot.querySelector('canvas').toDataURL('image/png').split(',')[1]"
    )
    got = np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"), np.float64)
    avatar = Avatar.from_stream(sounding, model=FaceModel(generator, rig))
    controls = torch.from_numpy(Stream(sounding).controls[25:26])
    with torch.inference_mode():
        drawn = generator.preview(avatar.styles[None] + controls @ avatar.basis, 256)
    wanted = cuda_ops.rgb8(drawn)[0].numpy().astype(np.float64)
    assert 10 * np.log10(255**2 / np.mean((got - wanted) ** 2)) > 45


def test_it_plays_as_a_video_does(page, capsys):
    page.evaluate(
        f"window.said = []; for (const name of ['play', 'playing', 'pause', 'seeking', 'seeked', "
        f"'ended', 'timeupdate']) {FACE}.addEventListener(name, () => said.push(name))"
    )
    page.evaluate(f"{FACE}.loop = false; {FACE}.setAttribute('preload', 'metadata')")
    page.evaluate(f"{FACE}.play()")
    time.sleep(3)
    stats, now = page.evaluate(f"[{FACE}.stats, {FACE}.currentTime]")
    with capsys.disabled():
        print(f"\n{len(os.sched_getaffinity(0))} cores: {stats}")
    assert 2 < now < 3.6 and stats["framesPerSecond"] > 0
    assert abs(stats["lateMs"]) < LATE
    wait(page, f"{FACE}.ended")
    assert page.evaluate(f"{FACE}.paused && {FACE}.currentTime === {FACE}.duration")
    page.evaluate(f"{FACE}.currentTime = 0.5")
    wait(page, "said.includes('seeked')")
    said = [name for name in page.evaluate("said") if name != "timeupdate"]
    assert said[:2] == ["play", "playing"] and said[2:4] == ["pause", "ended"]
    assert said[4:] == ["seeking", "seeked"]


def test_what_was_drawn_is_kept(page):
    wait(page, f"{FACE}.stats.drawn === 1", 120)
    page.evaluate(f"{FACE}.currentTime = 0; {FACE}.play()")
    time.sleep(2.5)
    assert page.evaluate(f"{FACE}.stats.framesPerSecond") > 15


def test_controls_are_dragged(page):
    picture = f"{FACE}.shadowRoot.querySelector('canvas').toDataURL()"
    before = page.evaluate(picture)
    slider = page.locator("#sliders input").first
    slider.focus()
    for _ in range(30):
        slider.press("ArrowRight")
    wait(page, f"{picture} !== {before!r}")
    assert page.evaluate(f"{FACE}.controlValues[0]") == pytest.approx(float(slider.input_value()))
    page.locator("#release").click()
    wait(page, f"{picture} === {before!r}")


def test_keys(page):
    page.locator("face-video").focus()
    page.keyboard.press("k")
    wait(page, f"!{FACE}.paused")
    page.keyboard.press(" ")
    wait(page, f"{FACE}.paused")
    page.keyboard.press("Home")
    page.keyboard.press(".")
    assert page.evaluate(f"{FACE}.currentTime") == pytest.approx(0.04)
    page.keyboard.press("m")
    assert page.evaluate(f"{FACE}.muted")


@pytest.mark.parametrize("page", [420], indirect=True)
def test_a_narrow_page_scrolls_down_alone(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= 420


def test_a_page_opened_as_a_file_says_how_to_serve_it(browser, sounding, tmp_path):
    export(tmp_path / "talks", [sounding], device="cpu")
    page = browser.new_page()
    page.goto((tmp_path / "talks" / "index.html").as_uri())
    assert "facecodec web serve" in page.locator("#serve").inner_text()
    page.close()
