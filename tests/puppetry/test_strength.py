"""Regions and strengths of a puppet, and sources that keep their motion."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from click.testing import CliRunner

import facecodec
from facecodec.bitstream import AudioPacket, FrameFlags, FrameRecord, open_stream
from facecodec.cli.main import main
from facecodec.face.expression import BROW_FEATURES, LID_FEATURES, LIP_FEATURES, OUTLINE_FEATURES
from facecodec.face.signals import NUM_POSE
from facecodec.puppetry.strength import Strengths
from facecodec.puppetry.timeline import lay_out, with_sound
from facecodec.rig.choice import controls_of
from facecodec.rig.regions import Region
from facecodec.rig.rig import shipped_rigs
from tests.helpers import toy_streams
from tests.helpers.clips import read_picture
from tests.helpers.streams import make_stream

RIG = next(shipped_rigs())
MOUTH = [*controls_of(RIG, "mouth"), *controls_of(RIG, "jaw")]


def test_nothing_asked_is_everything_as_the_driver_does_it():
    assert Strengths.of().plain and Strengths.of(list(Region)).plain
    assert (Strengths.of().features() == 1).all() and Strengths.of().free(RIG).all()
    assert not Strengths.of(["mouth"]).plain and not Strengths.of(strength=1.1).plain


def test_features_and_controls_are_scaled_by_region():
    strengths = Strengths.of(["pose", "mouth", "gaze"], {"mouth": 1.5, "POSE": 0.5})
    features = strengths.features()
    assert (features[:NUM_POSE] == 0.5).all()
    assert (features[OUTLINE_FEATURES] == 1.5).all() and (features[LIP_FEATURES] == 1.5).all()
    assert not features[LID_FEATURES].any() and not features[BROW_FEATURES].any()
    by_region = dict(zip(RIG.regions, strengths.controls(RIG), strict=True))
    assert by_region == {
        "pose": 0.5, "mouth": 1.5, "gaze": 1, "jaw": 0, "eyes": 0, "brows": 0, "expression": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("regions", "free"),
    [
        (["pose"], {"pose"}),
        (["gaze"], {"gaze"}),
        (["mouth"], {"mouth", "expression"}),
        (["brows", "pose"], {"brows", "pose", "expression"}),
        (["expression"], {"expression"}),
    ],
)
def test_whole_expressions_help_where_landmarks_show_what_moves(regions, free):
    moving = Strengths.of(regions).free(RIG)
    assert {region for region, moves in zip(RIG.regions, moving, strict=True) if moves} == free


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"regions": ["nose"]}, "no region 'nose'; there are: mouth"),
        ({"regions": []}, "name at least one region"),
        ({"regions": ["mouth"], "strength": {"pose": 1}}, "not among the regions"),
        ({"strength": -1}, "is not in 0 to 10"),
        ({"strength": {"mouth": float("nan")}}, "is not in 0 to 10"),
        ({"beyond": "end"}, "there are hold, loop, stop"),
        ({"audio": "both"}, "no audio 'both'"),
        ({"audio": "source"}, "keep its motion"),
        ({"source": "who.fci", "keep_motion": True}, "has no motion to keep"),
        ({"side_by_side": True}, "a stream has no room for the driver"),
        ({"rest": -1}, "rest -1 is not at least 0"),
        ({"source": "who.fci", "tune": "light"}, "tuned already"),
        ({"source": "who.png", "tune": "best"}, "there are: none, small"),
        ({"start": 3, "end": 2}, "lies not behind"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_at_once(given, words, tmp_path):
    with pytest.raises(facecodec.UsageError, match=words):
        facecodec.puppet(
            given.pop("source", "no.fcv"), "none.fcv", tmp_path / "puppet.fcv", **given
        )


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--strength", "much"], "neither X nor REGION=X"),
        (["--strength", "mouth=much"], "neither X nor REGION=X"),
        (["--strength", "nose=1"], "no region 'nose'"),
        (["--regions", "mouth,nose"], "no region 'nose'"),
    ],
)
def test_the_command_says_what_is_wrong(words, error, tmp_path):
    out = str(tmp_path / "x.mp4")
    done = CliRunner().invoke(main, ["puppet", "--source", "a", "--driver", "b", out, *words])
    assert error in done.output + str(done.exception)


def head(rate: int, base: int):
    return toy_streams.header(frame_rate=Fraction(rate), time_base=Fraction(1, base))


LONG = (head(25, 25), list(range(10, 20)))  # 0.4 s, 10 frames
SHORT = (head(50, 100), [2 * i for i in range(10)])  # 0.2 s, 10 frames


@pytest.mark.parametrize(
    ("beyond", "source", "driver"),
    [
        ("hold", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [0, 2, 4, 6, 8, 9, 9, 9, 9, 9]),
        ("loop", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [0, 2, 4, 6, 8, 0, 2, 4, 6, 8]),
        ("stop", [0, 1, 2, 3, 4], [0, 2, 4, 6, 8]),
    ],
)
def test_a_driver_that_ends_first(beyond, source, driver):
    line = lay_out(LONG, SHORT, beyond)
    assert line.source.tolist() == source
    np.testing.assert_allclose(line.driver, driver)
    assert line.pts.tolist() == LONG[1][: len(source)]


@pytest.mark.parametrize(
    ("beyond", "source", "last"),
    [
        ("hold", [*range(10), *[9] * 10], 38),
        ("loop", [*range(10), *range(10)], 38),
        ("stop", [*range(10)], 18),
    ],
)
def test_a_source_that_ends_first(beyond, source, last):
    line = lay_out(SHORT, LONG, beyond)
    assert line.source.tolist() == source
    assert line.pts.tolist() == list(range(0, last + 1, 2))
    inside = line.driver[:-1]
    np.testing.assert_allclose(inside, 0.5 * np.arange(len(inside)))


def test_motion_between_two_frames_lies_on_a_line_and_unseen_faces_stay_unseen():
    line = lay_out(SHORT, LONG, "stop")
    rows = np.arange(10.0)[:, None] ** 2
    rows[4] = np.nan
    expected = [0, 0.5, 1, 2.5, 4, 6.5, 9, np.nan, np.nan, np.nan]
    np.testing.assert_allclose(line.driven(rows)[:, 0], expected)


def test_sound_begins_with_the_first_frame_and_ends_with_the_last():
    header = head(25, 25)
    frames = [FrameRecord(i, 100 + i, np.zeros(35), None, FrameFlags(0)) for i in range(5)]
    packets = [AudioPacket(1024 * i, 1024 * i, 1024, bytes([i])) for i in range(40)]
    parameters = toy_streams.AUDIO
    begin = Fraction(10240, 48000)
    items = list(with_sound(frames, header, packets, (parameters, begin)))
    heard = [item for item in items if isinstance(item, AudioPacket)]
    assert heard[0].data == bytes([10]) and heard[0].pts == 4 * 48000
    assert heard[-1].pts < (4 + 0.2) * 48000 <= heard[-1].pts + 1024
    times = [item.pts / 48000 if isinstance(item, AudioPacket) else item.pts / 25 for item in items]
    assert times == sorted(times)
    assert list(with_sound(frames, header, packets, None)) == frames


@pytest.fixture(scope="module")
def people(generator, rig, tmp_path_factory):
    """Two streams of a person: of six frames, and of the same motion begun later."""
    folder = tmp_path_factory.mktemp("people")
    long = make_stream(folder / "long.fcv", generator, rig, 9)
    facecodec.cut(long, folder / "later.fcv", start=0.12)
    return long, folder / "later.fcv"


def controls_in(path):
    return np.stack([frame.controls for frame in open_stream(path)])


def test_copied_controls_of_silent_regions_are_still_or_the_sources_own(people, tmp_path):
    source, driver = people
    given = {"regions": ["mouth", "jaw"], "retarget": False}
    facecodec.puppet(source, driver, tmp_path / "still.fcv", **given)
    facecodec.puppet(source, driver, tmp_path / "own.fcv", keep_motion=True, **given)
    still, own = controls_in(tmp_path / "still.fcv"), controls_in(tmp_path / "own.fcv")
    silent = [i for i in range(35) if i not in MOUTH]
    assert len(still) == 6 and len(own) == 9
    assert not still[:, silent].any() and still[:, MOUTH].any()
    np.testing.assert_array_equal(own[:, silent], controls_in(source)[:, silent])
    np.testing.assert_array_equal(own[:6, MOUTH], still[:, MOUTH])
    np.testing.assert_array_equal(own[6:, MOUTH], still[5:6, MOUTH].repeat(3, 0))
    header = open_stream(tmp_path / "own.fcv").header
    assert header.metadata["provenance"].startswith("synthetic")
    places = [frame.placement for frame in open_stream(tmp_path / "own.fcv")]
    assert all(place is not None for place in places)


def test_what_is_led_by_landmarks_moves_alone(people, finder, tmp_path):
    source, driver = people
    given = {"regions": ["mouth"], "strength": 4, "max_frames": 3}
    done = facecodec.puppet(source, driver, tmp_path / "p.fcv", **given)
    assert done.retargeted
    moved = controls_in(tmp_path / "p.fcv")
    assert not moved[:, controls_of(RIG, "gaze")].any()
    # others take back what the mouth's controls show elsewhere, which is little
    for region in ("pose", "eyes", "brows", "jaw"):
        assert np.abs(moved[:, controls_of(RIG, region)]).max() < 1
    assert moved[:, controls_of(RIG, "mouth")].any()
    kept = facecodec.puppet(
        source, driver, tmp_path / "k.fcv", keep_motion=True, beyond="stop", **given
    )
    assert kept.retargeted and kept.frames == 3
    away = controls_in(tmp_path / "k.fcv") - controls_in(source)[:3]
    assert not away[:, controls_of(RIG, "gaze")].any()
    for region in ("pose", "eyes", "brows", "jaw"):
        assert np.abs(away[:, controls_of(RIG, region)]).max() < 1


def test_a_neutral_rest_is_added_to_all_frames(people, finder, tmp_path):
    source, driver = people
    for rest in ("keep", "neutral"):
        facecodec.puppet(source, driver, tmp_path / f"{rest}.fcv", retarget=False, source_rest=rest)
    added = controls_in(tmp_path / "neutral.fcv") - controls_in(tmp_path / "keep.fcv")
    steps = open_stream(tmp_path / "keep.fcv").header.control_steps
    assert np.abs(added).max() > 0.2
    assert (np.abs(added - added[0]) <= 2 * steps).all()
    assert not added[:, controls_of(RIG, "pose")].any()


def test_rest_span_and_side_by_side(people, finder, tmp_path):
    source, driver = people
    plain = {"retarget": False, "size": 256}
    done = facecodec.puppet(
        source, driver, tmp_path / "p%d.png", rest=1, start=0.04, end=0.2,
        side_by_side=True, **plain,
    )  # fmt: skip
    assert (done.frames, done.rest_frame) == (4, 1)
    picture = read_picture(tmp_path / "p1.png")
    assert picture.shape == (256, 512, 3)
    left = facecodec.open(driver).render(1, 256)
    np.testing.assert_array_equal(picture[:, :256], left)
    with pytest.raises(facecodec.UsageError, match="frames 0 to 5"):
        facecodec.puppet(source, driver, tmp_path / "x.fcv", rest=6, **plain)
