"""The one who moves a puppet: a part of a stream is still of the same person."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from facecodec.avatar.identity import identity_for
from facecodec.puppetry.driver import opened

STREAMS = Path(__file__).parent.parent / "vectors" / "streams"


def encoded(video: Path, made: Path) -> None:
    raise AssertionError("a stream is not encoded")


@pytest.fixture
def driver(tmp_path) -> Path:
    """A stream that refers to the person beside it."""
    for name in ("variable.fcv", "person.fci"):
        shutil.copy(STREAMS / name, tmp_path)
    return tmp_path / "variable.fcv"


@pytest.mark.parametrize("span", [(None, None), (Fraction(0), Fraction(1, 2))])
def test_a_part_of_a_stream_has_its_person(driver, span):
    with opened(driver, None, encoded, span) as moving:
        person = identity_for(moving.stream, moving.person)
        assert person is not None and person.sha256 == moving.stream.identity_reference


def test_a_person_who_is_not_there_is_not_made_up(driver):
    (driver.parent / "person.fci").unlink()
    with opened(driver, None, encoded, (Fraction(0), Fraction(1, 2))) as moving:
        assert moving.person is None
