"""Every measure on a real clip: ideal against itself, and worse the right way when distorted."""

import json
import math
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from facecodec.errors import UsageError
from facecodec.face.crop import resize
from facecodec.metrics.evaluate import HELD_FRAMES, evaluate, evaluate_puppet, trace_of
from facecodec.metrics.evaluation import Settings
from facecodec.metrics.measures import MEASURES, RESYNTHESIS

FRAMES = 12
STEP = 3  # every so many frames of a clip are taken, so that there is motion in few
SHARED = Path(__file__).resolve().parents[3] / "shared"


def squares(path, finder):
    """Aligned squares [FRAMES] of a clip."""
    from facecodec.clip.clip import Clip
    from facecodec.clip.scan import Span
    from facecodec.video.reader import VideoReader

    span = Span(max_frames=(FRAMES - 1) * STEP + 1)
    with Clip(VideoReader(path), span, occlusions=False) as clip:
        return [picture for i, picture in clip.squares() if i % STEP == 0]


@pytest.fixture(scope="module")
def woman(request, finder):
    """A real clip, or the project's own where there are no real ones."""
    try:
        path = request.getfixturevalue("clips") / "woman_earrings_512.mp4"
    except pytest.skip.Exception:
        path = request.getfixturevalue("sample")
    return squares(path, finder)


@pytest.fixture(scope="module")
def man(clips, finder):
    return squares(clips / "man_grey_480.mp4", finder)


@pytest.fixture(scope="module")
def model():
    """MediaPipe's landmarker, or None."""
    default = SHARED / "models" / "face_landmarker.task"
    path = Path(os.environ.get("FACECODEC_FACE_LANDMARKER", default))
    return path if path.is_file() and find_spec("mediapipe") else None


@pytest.fixture
def landmarker(model):
    """Skips what only the landmarker measures."""
    if model is None:
        pytest.skip(
            "no landmarker: pip install 'facecodec[eval]', and point FACECODEC_FACE_LANDMARKER at "
            "face_landmarker.task"
        )
    return model


@pytest.fixture(scope="module")
def against(woman, model):
    """Evaluate pictures against the woman's, who is read once."""
    read = trace_of(woman, Settings(landmarker=model))

    def judge(pictures):
        return evaluate(woman, pictures, Settings(landmarker=model), known=read)

    return judge


@pytest.fixture(scope="module")
def itself(woman, model):
    return evaluate(woman, woman, Settings(landmarker=model))


@pytest.fixture(scope="module")
def blurred(woman, against):
    """A little, and much."""
    return [against([resize(resize(p, (s, s)), (256, 256)) for p in woman]) for s in (96, 32)]


@pytest.fixture(scope="module")
def shifted(woman, against):
    return against([np.roll(p, 6, axis=1) for p in woman])


@pytest.fixture(scope="module")
def other(man, against):
    return against(man)


@pytest.fixture(scope="module")
def shuffled(woman, against):
    order = np.random.default_rng(3).permutation(FRAMES)
    return against([woman[i] for i in order])


def test_against_itself_everything_is_ideal(itself, model):
    assert itself.frames == FRAMES
    for name in RESYNTHESIS:
        needs_model = name.startswith("rho_") and model is None
        if name in ("lpips", "fid", "fvd") or needs_model:
            assert itself[name] is None and "needs" in itself.missing[name]
        elif name.endswith(("_1", "_2")):  # octaves that squares of 256 pixels do not show
            assert itself[name] is None and "compared at 256" in itself.missing[name]
        else:
            assert itself[name] == pytest.approx(MEASURES[name].ideal, abs=1e-9), name


def test_a_reference_read_before_gives_the_same(itself, woman, against):
    again = against(woman)
    assert again.values == itself.values and again.moves == itself.moves


def test_json_holds_numbers_only(itself):
    loaded = json.loads(json.dumps(itself.as_json(), allow_nan=False))
    assert loaded["values"]["psnr"] == "inf"
    assert 0.01 < loaded["reference_moves"]["yaw"] < 1
    assert len(loaded["per_frame"]["psnr_face"]) == FRAMES


def test_blur_hurts_more_the_stronger_it_is(blurred):
    little, much = blurred
    for name in ("l1", "l1_face", "lip_error", "identity", "jitter"):
        assert 0 < little[name] < much[name], name
    for name in ("psnr", "psnr_face", "ssim", "ssim_face", "worst_psnr_face"):
        assert MEASURES[name].ideal > little[name] > much[name], name
    assert little["yaw"] > 0.9


def test_blur_blurs_expression(blurred, landmarker):
    little, much = blurred
    assert little["rho_au"] > 0.9 and little["rho_pose"] > 0.9
    assert much["rho_au"] < little["rho_au"]


def test_shift_hurts_the_picture_and_not_the_motion(shifted):
    assert shifted["psnr_face"] < 28
    assert shifted["identity"] < 0.25
    assert shifted["yaw"] > 0.9 and shifted["mouth_opening"] > 0.9


def test_shift_keeps_expression_and_pose(shifted, landmarker):
    assert shifted["rho_au"] > 0.9 and shifted["rho_pose"] > 0.9


def test_another_person_is_far_away(other):
    assert other["identity"] > 0.6
    assert other["psnr_face"] < 20


def test_another_person_moves_otherwise(other, landmarker):
    assert other["rho_pose"] < 0.8


def test_shuffled_frames_lose_the_motion_and_not_the_person(shuffled):
    for name in ("yaw", "mouth_opening", "eye_opening"):
        assert shuffled[name] < 0.6, name
    assert shuffled["identity"] < 0.45
    assert shuffled["jitter"] > 0.05


def test_shuffled_frames_lose_expression_gaze_and_pose(shuffled, landmarker):
    for name in ("rho_au", "rho_gaze", "rho_pose"):
        assert shuffled[name] < 0.6, name


def test_a_still_picture_has_no_motion(woman):
    still = evaluate(woman, [woman[0]] * FRAMES)
    for name in ("yaw", "mouth_opening"):  # noise of 12 frames stays below 0.58, 19 times of 20
        assert abs(still[name]) < 0.6, name
    assert "face landmarker" in still.missing["rho_au"] and still["rho_au"] is None
    assert still.per_frame["psnr_face"][0] == math.inf
    assert 0 not in still.worst[:5]


def test_a_scene_without_a_face_has_no_inner_face(woman):
    """What is shown after the face has gone is not held against it."""
    black = [np.zeros_like(woman[0])] * (HELD_FRAMES + 3)
    white = [np.full_like(woman[0], 255)] * (HELD_FRAMES + 3)
    gone = evaluate(woman[:3] + black, woman[:3] + white)
    face = gone.per_frame["psnr_face"]
    assert np.isfinite(face[3 : 3 + HELD_FRAMES]).all() and np.isnan(face[3 + HELD_FRAMES :]).all()
    assert np.isfinite(gone.per_frame["psnr"][3:]).all()
    never = evaluate(black[:3], white[:3])
    assert never["psnr_face"] is None and never["worst_psnr_face"] is None


def test_puppet_of_itself_is_ideal(woman, model):
    good = evaluate_puppet(woman[::6], woman, woman, Settings(landmarker=model))
    assert good["identity"] < 0.3
    assert good["yaw"] == pytest.approx(1)
    if model:
        assert good["rho_au_gaze"] == pytest.approx(1)


def test_puppet_of_another_is_far_away(woman, man):
    assert evaluate_puppet(man[::6], woman, woman)["identity"] > 0.6


def test_sequences_must_match(woman):
    with pytest.raises(UsageError, match="second sequence ends after 2 frames"):
        evaluate(woman[:3], woman[:2])
    with pytest.raises(UsageError, match="no frames"):
        evaluate([], [])
