"""Somebody else in a clip: noticed by face embedding, left out, and said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import facecodec
from facecodec.bitstream import FrameFlags
from facecodec.cli.encode import said_of_others
from facecodec.cli.main import run
from facecodec.clip.clip import Clip
from facecodec.clip.people import EMBEDDING_INTERVAL, PeopleReader
from facecodec.encoding.person import follow_wanted, identity_frame
from facecodec.encoding.summary import EncodeSummary
from facecodec.errors import UsageError
from facecodec.pixels import to_uint8
from facecodec.video.reader import VideoReader
from tests.helpers.clips import write_clip
from tests.helpers.presets import TINY, fast_is

POINTS = np.stack(np.meshgrid(np.linspace(20, 40, 17), np.linspace(20, 40, 4)), -1).reshape(-1, 2)
APART = 0.9  # of two people's embeddings


class Shades:
    """An embedding that knows people by the shade of their picture, and counts how often."""

    count = 0

    def __call__(self, frame, points):
        self.count += 1
        embedding = np.zeros(128)
        embedding[int(frame[0, 0, 0])] = APART / np.sqrt(2)
        return embedding


def picture(person: int, level: int) -> np.ndarray:
    """A frame of a person, whose face is of one level of green."""
    frame = np.full((64, 64, 3), level, np.uint8)
    frame[0, 0] = person
    return frame


def people_in(shots, embed=None):
    """Read shots, each (person or None without a face, level, frames)."""
    reader = PeopleReader(embed or Shades())
    for person, level, frames in shots:
        for _ in range(frames):
            reader.add(picture(person or 0, level), None if person is None else POINTS)
    return reader.people()


def runs(people):
    """Who is seen, as (person, frames) in turn."""
    edges = np.flatnonzero(np.diff(people.who, prepend=-2))
    ends = [*edges[1:], len(people.who)]
    return [(int(people.who[a]), int(b - a)) for a, b in zip(edges, ends, strict=True)]


def test_a_cut_is_found_to_the_frame():
    people = people_in([(1, 50, 7), (2, 120, 12), (1, 50, 9)])
    assert [length for _, length in runs(people)] == [7, 12, 9]
    assert people.most_seen == people.who[0] and people.others(people.most_seen).sum() == 12
    assert people.first_change(people.others(people.most_seen)) == 7


def test_a_cut_between_faces_that_look_alike_is_found_late_and_set_where_they_differ_most():
    people = people_in([(1, 50, 12), (2, 60, 60)])
    assert [length for _, length in runs(people)] == [12, 60]


def test_a_face_that_returns_is_looked_at_again():
    assert [length for _, length in runs(people_in([(1, 50, 5), (None, 0, 3), (2, 50, 6)]))] == [
        5, 3, 6,
    ]  # fmt: skip
    same = people_in([(1, 50, 5), (None, 0, 3), (1, 50, 6)])
    assert len(same.embeddings) == 1 and not same.others(same.most_seen).any()


def test_one_person_costs_few_embeddings():
    embed = Shades()
    people_in([(1, 50, 4 * EMBEDDING_INTERVAL)], embed)
    assert embed.count == 4


TIMES = np.arange(400) / 25


def left_out_so_far(shots, own=None):
    people = people_in(shots)
    return people.others_so_far(own or people.enrolled(TIMES[: len(people.who)]))


def test_a_live_clip_is_of_whoever_is_seen_most_in_its_first_seconds():
    others = left_out_so_far([(1, 50, 60), (2, 120, 200)])
    assert not others[:60].any() and others[60:].all()  # the other comes later and stays longer
    others = left_out_so_far([(None, 0, 90), (2, 120, 5), (1, 50, 60)])
    assert np.flatnonzero(others).tolist() == list(range(90, 95))


def test_a_live_clip_may_know_its_person_before():
    theirs = Shades()(picture(2, 120), POINTS)
    others = left_out_so_far([(1, 50, 60), (2, 120, 200)], [theirs])
    assert others[:60].all() and not others[60:].any()


def test_a_drawn_picture_may_be_farther_from_every_frame_than_from_their_mean():
    people = people_in([(1, 50, 60)])
    drawn = people.embeddings[0].copy()
    drawn[9] += 0.65
    assert people.others_so_far([drawn]).all()
    assert not people.others_so_far([people.like(drawn, 0)]).any()
    drawn[9] -= 0.1
    np.testing.assert_array_equal(people.like(drawn, 0), drawn)


def test_who_is_left_out_of_a_live_clip_does_not_change_with_what_comes():
    shots = [(1, 50, 60), (2, 120, 40), (None, 0, 9), (2, 120, 30), (1, 55, 40), (3, 90, 50)]
    whole = left_out_so_far(shots)
    for count in range(2, len(shots)):
        seen = left_out_so_far(shots[:count])
        assert (seen == whole[: len(seen)]).all()


def test_the_person_is_chosen_among_several_faces():
    reader = PeopleReader(lambda frame, points: np.eye(128)[int(points[0, 0])])
    for _ in range(3):
        reader.add(picture(1, 50), POINTS)
    assert reader.choose(picture(1, 50), [POINTS + 5, POINTS]) == 1
    assert reader.choose(picture(1, 50), [POINTS + 5, POINTS + 9]) == 0


@pytest.fixture(scope="module")
def frames(sample):
    """Three frames of the sample's person."""
    with VideoReader(sample) as reader:
        return [frame.image for frame in reader.frames(max_frames=3)]


@pytest.fixture(scope="module")
def somebody(generator):
    """The face of another person who does not exist either, [256, 256, 3]."""
    torch.manual_seed(5)
    with torch.no_grad():
        w = generator.mapping(torch.randn(1, 512)).reshape(1, -1, 512)[:, :1]
        w = generator.w_mean + 0.6 * (w - generator.w_mean)
        styles = generator.styles(w.expand(1, generator.num_ws, 512))
        return to_uint8(generator.preview(styles, 256))[0]


@pytest.fixture(scope="module")
def cut(frames, somebody):
    """The sample's person, then two frames of the other."""
    frame = np.full_like(frames[0], 90)
    frame[100:356, 180:436] = somebody
    return [*frames, frame, frame]


def test_somebody_else_is_not_the_person(cut, finder):
    clip = Clip.from_frames(cut)
    assert clip.seen.tolist() == [True] * 3 + [False] * 2
    assert clip.other.tolist() == [False] * 3 + [True] * 2
    assert not clip.scan.near.any() and clip.first_cut == pytest.approx(3 / 25)
    with pytest.raises(UsageError, match="somebody else"):
        identity_frame(clip.scan, 4)
    follow_wanted(clip, None, 4, "", False)
    assert clip.seen.tolist() == [False] * 3 + [True] * 2
    assert identity_frame(clip.scan, 4) == 4


class Known:
    """A known person, of whom there is a picture."""

    num_controls = 35

    def __init__(self, picture):
        self.picture = picture

    def render(self, controls, size):
        return self.picture[None]


def test_a_known_person_is_sought(cut, frames, somebody, finder):
    clip = Clip.from_frames(cut)
    follow_wanted(clip, Known(somebody), None, "her.fci", False)
    assert clip.seen.tolist() == [False] * 3 + [True] * 2
    alone = Clip.from_frames(frames)
    with pytest.raises(UsageError, match="nobody in it is the person in her.fci"):
        follow_wanted(alone, Known(somebody), None, "her.fci", False)
    follow_wanted(alone, Known(somebody), None, "her.fci", True)
    assert alone.seen.all()


def test_a_live_clip_is_of_the_person_it_began_with(cut, somebody, finder):
    """Also where the other is seen more; the known person is followed wherever they come."""
    longer = [*cut, *cut[3:], *cut[3:]]
    assert Clip.from_frames(longer).other.tolist() == [True] * 3 + [False] * 6
    times = [0, 0.04, 3, 3.04, 3.08, 3.12, 3.16, 3.2, 3.24]
    clip = Clip.from_frames(longer, times=times, live=True)
    assert clip.other.tolist() == [False] * 3 + [True] * 6 and clip.first_cut == 3.04
    follow_wanted(clip, Known(somebody), None, "her.fci", False)
    assert clip.other.tolist() == [True] * 3 + [False] * 6


def test_the_person_of_several_faces_is_found_again(frames, somebody, finder):
    """A larger face of another beside theirs does not take over after a gap."""
    small = frames[0][::2, ::2]
    both = np.full((480, 960, 3), 90, np.uint8)
    alone = both.copy()
    alone[120:360, 40:360] = both[120:360, 40:360] = small
    both[20:460, 420:860] = np.asarray(Image.fromarray(somebody).resize((440, 440)))
    clip = Clip.from_frames([alone, np.full_like(alone, 90), both])
    assert clip.seen.tolist() == [True, False, True]
    assert clip.alignments[2].x < 400


def test_what_is_said_of_others():
    counts = {"low_confidence": 0, "duration": 4.8, "bytes": 1, "person_bytes": 1, "audio_bytes": 0}
    rest = {"stages": {}, "identity_frame": 0, "audio": False, "audio_dropped": None,
            "audio_codec": None, "flagged": []}  # fmt: skip
    done = EncodeSummary(120, 0, 40, first_cut=2.4, **counts, **rest)
    assert said_of_others(done) == (
        "40 of 120 frames show somebody else (a cut at 2.40 s); "
        "the person's last controls are held there"
    )
    few = EncodeSummary(120, 0, 70, first_cut=2.4, **counts, **rest)
    assert "the person 50: --id-frame chooses who" in said_of_others(few)


@pytest.mark.slow
def test_an_encode_says_who_was_left_out(cut, generator, finder, tmp_path, capsys):
    path = write_clip(tmp_path / "cut.mkv", cut, "ffv1", pix_fmt="bgr0")
    with fast_is(TINY), pytest.raises(SystemExit) as ended:
        run(["encode", str(path), str(tmp_path / "a.fcv"), "--preset", "fast"])
    said = capsys.readouterr().err
    assert ended.value.code == 0 and "2 of 5 frames show somebody else (a cut at 0.12 s)" in said
    with facecodec.open(tmp_path / "a.fcv") as stream:
        none = [bool(frame.flags & FrameFlags.NO_FACE) for frame in stream.frames()]
    assert none == [False] * 3 + [True] * 2
