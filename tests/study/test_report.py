"""The report: everything in one file, and a page that a browser can use."""

import dataclasses
import re
from fractions import Fraction

import pytest
from click.testing import CliRunner

from facecodec.cli.main import main
from facecodec.errors import UsageError
from facecodec.study import report as pipeline
from facecodec.study.page import as_script, build
from facecodec.study.report import apart, gather
from facecodec.study.report_page import report_page
from facecodec.video.reader import VideoReader
from facecodec.video.writer import open_sink


@pytest.fixture(scope="module")
def report(stream, video):
    with pytest.MonkeyPatch.context() as patch:
        # seventy pictures, each from the smallest preview
        patch.setattr(pipeline, "THUMBNAIL_PIXELS", 32)
        return gather(stream, video)


@pytest.fixture(scope="module")
def written(report, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report_page(report), encoding="utf-8")
    return path


def test_what_is_gathered(report, stream):
    assert len(report.times) == len(report.controls) == 6
    assert sum(report.split[k] for k in report.split if k.endswith("_bytes")) == (
        stream.stat().st_size
    )
    assert len(report.effects) == len(report.names) == 35
    assert report.identity[:2] == report.worst[0][1][:2] == b"\xff\xd8"  # JPEG
    assert report.evaluation["psnr_face"] > 25
    assert b"ftyp" in report.video[:16]


def test_the_page_asks_for_nothing_else(written):
    text = written.read_text()
    assert "default-src 'none'" in text
    code = re.sub(r"data:[a-z]+/[a-z0-9]+;base64,[A-Za-z0-9+/=]+", "", text)
    assert re.findall(r"""(?:src|href)=["'](?!")[^"']+""", code) == []
    assert set(re.findall(r"https?://[^\s\"'<]+", code)) <= {"http://www.w3.org/2000/svg"}


def test_a_clip_that_lasts_no_time(report):
    """One frame without a frame rate: there is no rate to tell."""
    page = report_page(dataclasses.replace(report, seconds=0.0))
    assert "<b>– <small>kbps" in page


def test_flagged_frames_are_named(report):
    assert "Flagged frames" not in report_page(report)
    page = report_page(dataclasses.replace(report, flags=[0, 2, 2, 0, 1, 0]))
    assert "frames 1 to 2 (0.04 to 0.08 s): low confidence" in page
    assert "frame 4 (0.16 s): no face" in page


def test_worst_frames_are_not_neighbours():
    order = [10, 11, 9, 40, 12, 41, 25]
    assert apart(order, 2, 3) == [10, 40, 25]
    assert apart(order, 0, 3) == [10, 11, 9]
    assert apart([], 2, 3) == []


def test_texts_of_a_stream_cannot_become_code():
    page = build("</title><script>", "", {"name": "</script><script>alert(1)</script>"}, [])
    assert "<script>alert" not in page and "</title><script>" not in page
    assert as_script("</script>&") == '"\\u003c/script\\u003e\\u0026"'


def test_a_reference_that_is_too_short(stream, video, tmp_path):
    short = tmp_path / "short.mp4"
    with VideoReader(video) as reader:
        first = [frame.image for frame in reader.frames(max_frames=2)]
    with open_sink(str(short), (640, 480), Fraction(1, 25), Fraction(25)) as sink:
        for i, picture in enumerate(first):
            sink.write(picture, i)
    with pytest.raises(UsageError, match="has 2 frames, the stream 6"):
        gather(stream, short)


def test_command_refuses_to_overwrite(stream, tmp_path):
    there = tmp_path / "there.html"
    there.write_text("x")
    done = CliRunner().invoke(main, ["report", str(stream), "-o", str(there)])
    assert "exists already" in str(done.exception) and there.read_text() == "x"


def test_the_page_in_a_browser(page, until, written, tmp_path):
    page.goto(written.as_uri())
    page.wait_for_selector("body[data-ready=yes]")
    assert page.locator(".tile").count() >= 5
    assert page.locator("#rows button").count() == 35
    assert page.locator("#cards .card").count() == 35
    assert page.evaluate("[...document.images].every(i => !i.complete || i.naturalWidth > 0)")

    # the player plays, and the clock follows
    until("document.getElementById('video').readyState >= 2")
    assert page.evaluate("document.getElementById('video').videoWidth") == 3 * 512
    page.click("#play")
    until("document.getElementById('video').currentTime > 0.05")
    until("!document.getElementById('clock').textContent.startsWith('frame 1 ')")
    page.click("#play")

    # arrow keys step, the crosshair follows
    page.evaluate("seekTo(DATA.times[0])")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#clock").startswith("frame 2 / 6")
    until("Math.abs(document.getElementById('video').currentTime - 0.06) < 0.03")

    # plots answer the mouse
    chart = page.locator("[data-chart=psnr_face] svg")
    chart.scroll_into_view_if_needed()
    chart.hover(position={"x": 300, "y": 80})
    tip = page.locator("[data-chart=psnr_face] .tip")
    assert "PSNR" in tip.inner_text() and "seconds" in tip.inner_text()
    page.click("[data-region=mouth]")
    assert page.locator("#rows button").count() == 14
    name = page.locator("#rows button").nth(3).inner_text()
    page.locator("#heat").click(position={"x": 600, "y": 3 * 15 + 7})
    assert name in page.inner_text("#detail-chart")
    assert not page.inner_text("#clock").startswith("frame 2 ")
    page.locator("#worst figure").first.click()
    page.screenshot(path=tmp_path / "report.png", full_page=True)
    assert page.troubles == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in page.asked)
