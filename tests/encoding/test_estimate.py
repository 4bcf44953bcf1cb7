"""How long an encode will take, told before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import pytest

from facecodec.cli.main import run
from facecodec.clip.scan import Span
from facecodec.encoding.estimate import encode_previews, expected_frames, preview_seconds
from facecodec.encoding.presets import PRESETS
from facecodec.errors import FacecodecError
from facecodec.models import FaceModel
from tests.helpers.presets import TINY, fast_is


@dataclass
class Source:
    frame_count: int | None
    rate: Fraction | None


@pytest.mark.parametrize(
    ("span", "count", "expected"),
    [
        ((), 100, 100),
        ((None, None, 7), 100, 7),
        ((None, None, 200), 100, 100),
        ((Fraction(1), None, None), 100, 75),
        ((Fraction(1), Fraction(2), None), 100, 25),
        ((Fraction(9), None, None), 100, 0),
        ((), None, None),
        ((None, None, 7), None, 7),
        ((Fraction(1), Fraction(2), None), None, 25),
    ],
)
def test_how_many_frames_a_span_has(span, count, expected):
    source = Source(count, Fraction(25))
    assert expected_frames(source, Span(*span)) == expected  # type: ignore[arg-type]


def test_slower_presets_longer_clips_and_tunings_take_longer():
    times = [encode_previews(PRESETS[name], "none", 100, False) for name in ("fast", "medium")]
    assert times[0] < times[1] < encode_previews(PRESETS["slow"], "none", 100, False)
    medium = PRESETS["medium"]
    assert encode_previews(medium, "none", 100, True) < times[1]
    tuned = [encode_previews(medium, tune, 100, False) for tune in ("none", "light", "full")]
    assert tuned == sorted(tuned) and tuned[2] > tuned[0]
    assert encode_previews(PRESETS["live"], "none", 1000, True) < 0.3 * encode_previews(
        medium, "none", 1000, True
    )


def test_a_preview_takes_a_moment(generator, rig):
    assert 1e-4 < preview_seconds(FaceModel(generator, rig)) < 1


def test_the_command_says_so_before_the_work(
    sample, generator, finder, tmp_path, capsys, monkeypatch
):
    def begin(*_):
        raise FacecodecError("the work began")

    monkeypatch.setattr("facecodec.encoding.fitted.find_person", begin)
    with fast_is(TINY), pytest.raises(SystemExit):
        run(["encode", str(sample), str(tmp_path / "a.fcv"), "--preset", "fast",
             "--max-frames", "1"])  # fmt: skip
    said = capsys.readouterr().err.splitlines()
    told = [i for i, line in enumerate(said) if "on this machine" in line]
    assert len(told) == 1 and "about 0:" in said[told[0]]
    assert [line for line in said[told[0] + 1 :] if "the work began" in line]
