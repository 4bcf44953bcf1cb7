"""What an encode cannot write is refused before any work."""

from __future__ import annotations

import pytest

import facecodec


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("talk.mp4", {}, "a stream is no .mp4 file"),
        ("talk.FCI", {}, "a stream is no .FCI file"),
        ("talk.fcv", {"quality": 1000}, "quality 1000 is not in 0 to 100"),
        ("talk.fcv", {"quality": -1}, "quality -1 is not in 0 to 100"),
        ("talk.fcv", {"precision": "f64"}, "no precision 'f64'"),
    ],
)
def test_refused_before_the_video_is_opened(tmp_path, name, options, message):
    nowhere = tmp_path / "not there.mp4"  # opening it would be another error
    with pytest.raises(facecodec.UsageError, match=message):
        facecodec.encode(nowhere, tmp_path / name, **options)
