"""Conventional encoders keep to their rates; a comparison counts every byte and draws curves."""

import contextlib
import json
import os
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import facecodec
from facecodec.bitstream import StreamWriter
from facecodec.cli.main import main
from facecodec.clip.clip import Clip
from facecodec.errors import UsageError
from facecodec.metrics.pictures import psnr
from facecodec.study import rivals
from facecodec.study.compare import (
    COMPARED_MEASURES,
    Comparison,
    Point,
    compare,
    notes,
    stream_bytes,
)
from facecodec.study.compare_page import compare_page
from facecodec.study.evaluate import Options
from tests.helpers.streams import make_stream

FRAMES = 5


@pytest.fixture(scope="module")
def moving():
    """Frames [24] of a colourful pattern that drifts."""
    y, x = np.mgrid[0:96, 0:128]
    return [
        np.stack(
            [127 + 90 * np.sin((x + 2 * t) / 17), 120 + 80 * np.cos(y / 13), 40 + x],
            axis=2,
        ).astype(np.uint8)
        for t in range(24)
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="scheduling classes are Linux's")
@pytest.mark.parametrize("name", list(rivals.ENCODERS))
def test_no_encoder_makes_this_process_real_time(moving, name):
    """SVT-AV1 does when started as root: everything else on the machine then stands still."""

    def classes():
        policies = set()
        for thread in Path("/proc/self/task").iterdir():
            # a thread of an earlier encoder may end between the listing and the check
            with contextlib.suppress(ProcessLookupError):
                policies.add(os.sched_getscheduler(int(thread.name)))
        return policies

    before, while_encoding = classes(), []

    def frames():
        for picture in moving[:3]:
            while_encoding.append(classes())
            yield picture

    rivals.encode(frames(), name, (128, 96), Fraction(24), 45)
    assert all(policy == before for policy in [*while_encoding, classes()])


@pytest.mark.parametrize("name", list(rivals.ENCODERS))
def test_an_encoder_returns_every_frame_in_its_own_colours(moving, name):
    best = rivals.encode(moving, name, (128, 96), Fraction(24), rivals.ENCODERS[name].best)
    worst = rivals.encode(moving, name, (128, 96), Fraction(24), rivals.ENCODERS[name].worst)
    shown = list(rivals.decoded(best, (128, 96)))
    assert len(shown) == len(moving)
    assert psnr(shown[12], moving[12]) > 30
    assert best.bytes > 1.5 * worst.bytes
    assert 0 < worst.first < worst.bytes


def test_a_wanted_rate_is_met(moving):
    for kbps in (20, 26):
        made = rivals.encode_at_rate(lambda: moving, "x264", (128, 96), Fraction(24), kbps, 1.0)
        assert made.bytes * 8e-3 == pytest.approx(kbps, rel=0.15)


def test_small_frames_are_scaled_up_again(moving):
    size = rivals.even((128, 96), 0.25)
    assert size == (32, 24)
    made = rivals.encode(moving, "x264", size, Fraction(24), 20)
    assert next(rivals.decoded(made, (128, 96))).shape == (96, 128, 3)


@pytest.mark.parametrize("size", [(64, 64), (100, 100)])
def test_frames_are_as_bright_as_they_were(size):
    y, x = np.mgrid[:64, :64] / 64
    coloured = (40 + 100 * np.stack([x, y, (x + y) / 2], -1)).round().astype(np.uint8)
    made = rivals.encode([coloured], "x264", (64, 64), Fraction(25), 18)
    (shown,) = rivals.decoded(made, size)
    assert np.abs(shown.mean((0, 1)) - coloured.mean((0, 1))).max() < 0.7


def test_an_unknown_codec_is_refused():
    with pytest.raises(UsageError, match="x264, x265, svtav1, vp9"):
        rivals.encoder_named("h266")


@pytest.fixture(scope="module")
def clip(clips):
    return clips / "man_grey_480.mp4"


@pytest.fixture(scope="module")
def stream(clip, finder, generator, rig, tmp_path_factory):
    with Clip.open(clip, max_frames=FRAMES) as scanned:
        squares = scanned.alignments
    path = tmp_path_factory.mktemp("compare") / "talk.fcv"
    return make_stream(path, generator, rig, FRAMES, squares, (480, 480))


@pytest.fixture(scope="module")
def result(clip, stream):
    return compare(clip, streams=[stream], codecs=["x264"], rates=[60, 400], scales=[1, 0.25])


def test_every_byte_is_counted(result, stream):
    ours, *others = result.points
    assert ours.codec == "talk" and ours.bytes == stream.stat().st_size
    assert ours.kbps == pytest.approx(ours.bytes * 8e-3 / result.seconds, rel=5e-3)
    assert result.seconds == pytest.approx(FRAMES / 25, abs=0.01)
    assert len(others) >= 3
    for point in result.points:
        assert 0 < point.once <= point.bytes
        assert point.at["60"] <= point.at["10"]


def test_more_bytes_buy_more_quality(result):
    full = sorted((p for p in result.points if p.codec == "x264" and p.scale == 1),
                  key=lambda p: p.bytes)  # fmt: skip
    assert full[-1].values["psnr_face"] > full[0].values["psnr_face"] + 2
    assert result.points[0].values["psnr_face"] < 20  # a random person is not this one


def test_notes_say_why_there_is_no_bd_rate(result):
    assert any("one point only" in note for note in result.notes)


def test_a_person_in_a_file_of_its_own_is_counted(generator, rig, tmp_path):
    whole = make_stream(tmp_path / "whole.fcv", generator, rig, 2)
    person = facecodec.extract_identity(whole, tmp_path / "person.fci")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    small = folder / "small.fcv"
    stream = facecodec.open_stream(whole)
    with small.open("wb") as file, StreamWriter(file, stream.header) as writer:
        writer.write_identity_reference(person.sha256)
        for frame in stream:
            writer.write_frame(frame.pts, frame.controls, frame.placement)
    size, once = stream_bytes(small, Options(identity=tmp_path / "person.fci"))
    assert size == small.stat().st_size + (tmp_path / "person.fci").stat().st_size
    whole_size, whole_once = stream_bytes(whole, Options())
    assert size - once == whole_size - whole_once


def test_an_identity_file_is_for_given_streams(tmp_path):
    with pytest.raises(UsageError, match="for streams that are given"):
        compare(tmp_path / "clip.mp4", options=Options(identity=tmp_path / "person.fci"))


def made_up(codec, scale, kbps, at_60, quality):
    values = dict.fromkeys(COMPARED_MEASURES, 0.5) | {"psnr_face": quality, "identity": None}
    return Point(codec, scale, int(kbps * 1000), 100, kbps, {"10": kbps, "60": at_60}, values)


@pytest.fixture
def known():
    """Ours costs twice as much as x264 over the clip and half as much over a minute."""
    points = [made_up("talk", 1.0, kbps, kbps / 4, kbps / 10) for kbps in (200, 400)]
    points += [made_up("x264", 1.0, kbps, kbps, kbps / 5) for kbps in (100, 200)]
    points += [made_up("vp9", 0.25, kbps, kbps, kbps) for kbps in (100, 200)]
    return Comparison("clip.mp4", 100, 4.0, (64, 48), points, notes(points))


def test_bd_rate_only_where_curves_meet(known):
    assert known.notes == [
        "PSNR: facecodec needs 100 % more bytes than x264 at 1 (BD-rate); 50 % fewer over 60 s",
        "L_ID: no BD-rate against x264 at 1: it was not measured",
        "PSNR: no BD-rate against vp9 at 0.25: they reach no common quality",
        "L_ID: no BD-rate against vp9 at 0.25: it was not measured",
    ]


def test_the_page_in_a_browser(page, known, tmp_path):
    path = tmp_path / "curves.html"
    path.write_text(compare_page(known), encoding="utf-8")
    page.goto(path.as_uri())
    charts = page.locator("#charts svg")
    assert charts.count() == len(COMPARED_MEASURES) - 1
    assert len({charts.nth(i).bounding_box()["width"] for i in range(charts.count())}) == 1
    charts.first.hover(position={"x": 200, "y": 100})
    assert "kbps" in page.locator("#charts .tip").first.inner_text()
    assert page.troubles == []


def test_the_page_holds_everything(result):
    page = compare_page(result)
    assert "man_grey_480.mp4" in page and "NaN" not in page.split("<script")[1]
    assert "://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_command_refuses_what_it_cannot_do(clip, tmp_path):
    def run(*arguments):
        return CliRunner().invoke(main, ["compare", str(clip), *arguments])

    assert "positive numbers" in run("--rates", "a,b").output
    assert "no codec" in str(run("--codecs", "h266").exception)
    there = tmp_path / "there.html"
    there.write_text("x")
    assert "exists already" in str(run("-o", str(there)).exception)


def test_command_prints_json(clip, stream):
    arguments = ["compare", str(clip), "--stream", str(stream), "--codecs", "x264", "--rates",
                 "200", "--scales", "1", "--json"]  # fmt: skip
    facts = json.loads(CliRunner().invoke(main, arguments).stdout)
    assert [p["codec"] for p in facts["points"]] == ["talk", "x264"]
