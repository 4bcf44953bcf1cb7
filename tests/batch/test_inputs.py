"""Which clips a batch takes, what their outputs are called, and whose they are."""

from __future__ import annotations

import numpy as np
import pytest

from facecodec.batch.inputs import VIDEO_SUFFIXES, find_inputs, output_names
from facecodec.batch.people import Person, group
from facecodec.errors import UsageError


@pytest.fixture
def folder(tmp_path):
    for name in ("a.mp4", "b.MKV", "sub/a.mp4", "sub/deep/c.webm", "notes.txt", ".hidden/d.mp4"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "in"


def names(found, root):
    return [str(path.relative_to(root)) for path, _ in found]


def test_a_folder_is_searched_and_its_tree_is_kept(folder, tmp_path):
    found = find_inputs([folder], None, VIDEO_SUFFIXES)
    assert names(found, folder) == ["a.mp4", "b.MKV", "sub/a.mp4", "sub/deep/c.webm"]
    outputs = output_names(found, tmp_path, ".fcv")
    assert [str(path.relative_to(tmp_path)) for path in outputs] == [
        "a.fcv", "b.fcv", "sub/a.fcv", "sub/deep/c.fcv",
    ]  # fmt: skip


def test_a_pattern_chooses(folder):
    assert names(find_inputs([folder], "sub/**/*.*", ()), folder) == [
        "sub/a.mp4", "sub/deep/c.webm",
    ]  # fmt: skip
    assert names(find_inputs([folder], "*.txt", ()), folder) == ["notes.txt"]


@pytest.mark.parametrize("pattern", ["*.nothing", "/etc/*", ""])
def test_a_pattern_that_finds_nothing_is_refused(folder, pattern):
    with pytest.raises(UsageError):
        find_inputs([folder], pattern, ())


def test_a_file_counts_once_and_one_that_is_not_there_is_refused(folder):
    twice = find_inputs([folder / "a.mp4", folder / "a.mp4", folder], None, VIDEO_SUFFIXES)
    assert len(twice) == 4
    with pytest.raises(UsageError, match="does not exist"):
        find_inputs([folder / "gone.mp4"], None, VIDEO_SUFFIXES)


def test_two_clips_with_one_output_are_refused(folder, tmp_path):
    found = find_inputs([folder / "a.mp4", folder / "sub" / "a.mp4"], None, VIDEO_SUFFIXES)
    with pytest.raises(UsageError, match="would both be written to"):
        output_names(found, tmp_path, ".fcv")


def seen(at: float, pixels: float = 200.0, looks: int = 12):
    row = np.zeros(128)
    row[0] = at
    return {"embedding": row.tolist(), "pixels": pixels, "looks": looks}


def test_clips_are_grouped_by_whom_they_show():
    looks = {"a": seen(0.0), "b": seen(2.0), "c": seen(0.1, 300), "d": seen(2.1, looks=3)}
    people = group(looks, [])
    assert [list(person.clips) for person in people] == [["a", "c"], ["b", "d"]]
    assert [person.name for person in people] == ["person-1.fci", "person-2.fci"]
    assert people[0].best() == ["c", "a"] and people[1].best() == ["b", "d"]


def test_known_people_take_theirs_and_new_ones_are_counted_on():
    row = np.zeros(128)
    row[0] = 2.0
    people = group({"a": seen(0.0), "b": seen(2.2)}, [Person(3, row)])
    assert [(p.number, list(p.clips)) for p in people] == [(3, ["b"]), (4, ["a"])]
