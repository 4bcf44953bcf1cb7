"""The exported page in headless chromium: it plays in step with its sound, without a word."""

from __future__ import annotations

import base64
import io
import os
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
FACE = "document.querySelector('face-video')"


# A GPU that is none: WebGPU computed by the processor.
GPU_ARGS = [
    "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan",
    "--use-vulkan=swiftshader",
]  # fmt: skip
# How like the pictures of both renderers are, in dB, for styles that are the layers' biases.
COMPARE = """async (size) => {
    const { GpuRenderer } = await import('/player/render/gpu.js');
    const { Renderer } = await import('/player/render/renderer.js');
    const { Network } = await import('/player/render/network.js');
    const device = await GpuRenderer.device(true);
    if (!device) return null;
    const bytes = async (name) => (await fetch(name)).arrayBuffer();
    const manifest = await (await fetch('/generator/generator.json')).json();
    const network = new Network(manifest, await bytes('/generator/generator.bin'));
    const kernels = await WebAssembly.compile(await bytes('/player/render/kernels.wasm'));
    const styles = new Float32Array(network.styles);
    for (const { name, offset } of network.layers) {
        styles.set(network.tensor(`${name}.affine.bias`), offset);
    }
    const wanted = new Renderer(kernels, network, size).draw(styles);
    const got = await new GpuRenderer(device, network, size).draw(styles);
    const error = got.reduce((sum, v, i) => sum + (v - wanted[i]) ** 2, 0) / got.length;
    return 10 * Math.log10(255 ** 2 / Math.max(error, 1e-9));
}"""


@pytest.fixture(scope="module")
def sounding(generator, rig, tmp_path_factory):
    """A stream of a random person with Opus, which is silence."""
    folder = tmp_path_factory.mktemp("sounding")
    plain = make_stream(folder / "plain.fcv", generator, rig, FRAMES)
    head = b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0"
    return with_sound(plain, folder / "talk.fcv", "opus", head)


def with_sound(source, path, codec, head):
    """Write a stream with sound: 50 packets a second, each Opus's silence."""
    plain = open_stream(source)
    with path.open("wb") as file, StreamWriter(file, plain.header) as writer:
        writer.write_identity_payload(plain.identity_payload)
        writer.set_audio(AudioParameters(codec, 48000, 1, head, Fraction(1, 48000)))
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


@pytest.mark.parametrize(("codec", "said"), [("aac", "by this browser"), ("vorbis", "vorbis")])
def test_sound_that_cannot_be_played_is_said(
    codec, said, browser, export_tiny, tiny_stream, tmp_path
):
    path = with_sound(tiny_stream, tmp_path / "talk.fcv", codec, b"no configuration")
    export_tiny(tmp_path / "out", [path], device="cpu")
    page = browser.new_page()
    with FolderServer(tmp_path / "out") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page.goto(server.url)
        page.troubles = []
        wait(page, f"{FACE}.readyState >= 2")
        veil = f"{FACE}.shadowRoot.querySelector('.veil').innerText"
        page.evaluate(f"{FACE}.loop = false; {FACE}.play()")
        wait(page, f"{veil}.includes('{said}')")
        wait(page, f"{FACE}.ended")
        server.shutdown()
    page.close()


@pytest.mark.parametrize("size", [128, 1024])
def test_webgpu_draws_the_same(size, chromium, export_tiny, tiny_stream, tmp_path):
    export_tiny(tmp_path / "tiny", [tiny_stream], device="cpu")
    launched = chromium(GPU_ARGS)
    try:
        with FolderServer(tmp_path / "tiny") as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            page = launched.new_page()
            page.goto(f"{server.url}generator/LICENCE.txt")
            like = page.evaluate(COMPARE, size)
            server.shutdown()
    finally:
        launched.close()
    if like is None:
        pytest.skip("this chromium has no WebGPU")
    assert like > 60


def test_a_page_opened_as_a_file_says_how_to_serve_it(browser, sounding, tmp_path):
    export(tmp_path / "talks", [sounding], device="cpu")
    page = browser.new_page()
    page.goto((tmp_path / "talks" / "index.html").as_uri())
    assert "facecodec web serve" in page.locator("#serve").inner_text()
    page.close()
