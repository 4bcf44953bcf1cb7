"""Every measure on a real clip: ideal against itself, and worse the right way when distorted."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from facecodec.errors import UsageError
from facecodec.face.crop import resize
from facecodec.metrics.evaluate import evaluate, evaluate_puppet
from facecodec.metrics.measures import MEASURES, RESYNTHESIS

FRAMES = 16


def squares(path, finder, frames=FRAMES, step=3):
    """Aligned squares of every `step`-th of the first frames of a clip."""
    from facecodec.pipeline.scan import Span, crops, scan
    from facecodec.progress import silent
    from facecodec.video.reader import VideoReader

    span = Span(max_frames=frames * step)
    with VideoReader(path) as reader:
        found = scan(reader, finder, span, silent)
        return [picture for i, picture in crops(reader, span, found) if i % step == 0]


@pytest.fixture(scope="module")
def woman(clips, finder):
    return squares(clips / "woman_earrings_512.mp4", finder)


@pytest.fixture(scope="module")
def man(clips, finder):
    return squares(clips / "man_grey_480.mp4", finder)


@pytest.fixture(scope="module")
def landmarker(clips):
    pytest.importorskip("mediapipe", reason="no mediapipe: pip install 'facecodec[eval]'")
    default = clips.parent / "models" / "face_landmarker.task"
    path = Path(os.environ.get("FACECODEC_FACE_LANDMARKER", default))
    if not path.is_file():
        pytest.skip("no landmarker model: point FACECODEC_FACE_LANDMARKER at face_landmarker.task")
    return path


@pytest.fixture(scope="module")
def itself(woman, landmarker):
    return evaluate(woman, woman, landmarker=landmarker)


def test_against_itself_everything_is_ideal(itself):
    assert itself.frames == FRAMES
    for name in RESYNTHESIS:
        if name in ("lpips", "fid", "fvd"):
            assert itself[name] is None and "needs" in itself.missing[name]
        else:
            assert itself[name] == pytest.approx(MEASURES[name].ideal, abs=1e-9), name


def test_json_holds_numbers_only(itself):
    loaded = json.loads(json.dumps(itself.as_json(), allow_nan=False))
    assert loaded["values"]["psnr"] == "inf"
    assert 0.01 < loaded["reference_moves"]["yaw"] < 1
    assert len(loaded["per_frame"]["psnr_face"]) == FRAMES


@pytest.fixture(scope="module")
def blurred(woman, landmarker):
    return [
        evaluate(woman, [resize(resize(p, (s, s)), (256, 256)) for p in woman],
                 landmarker=landmarker)
        for s in (96, 32)
    ]  # fmt: skip


def test_blur_hurts_more_the_stronger_it_is(blurred):
    little, much = blurred
    for name in ("l1", "l1_face", "lip_error", "identity", "jitter"):
        assert 0 < little[name] < much[name], name
    for name in ("psnr", "psnr_face", "ssim", "ssim_face", "worst_psnr_face"):
        assert MEASURES[name].ideal > little[name] > much[name], name
    for name in ("rho_au", "rho_pose", "yaw"):
        assert little[name] > 0.9
    assert much["rho_au"] < little["rho_au"]


def test_shift_hurts_the_picture_and_not_the_motion(woman, landmarker):
    shifted = evaluate(woman, [np.roll(p, 6, axis=1) for p in woman], landmarker=landmarker)
    assert shifted["psnr_face"] < 28
    assert shifted["identity"] < 0.25
    for name in ("yaw", "mouth_opening", "rho_au", "rho_pose"):
        assert shifted[name] > 0.9, name


def test_another_person_is_far_away(woman, man, landmarker):
    other = evaluate(woman, man, landmarker=landmarker)
    assert other["identity"] > 0.6
    assert other["psnr_face"] < 20
    assert other["rho_pose"] < 0.8


def test_shuffled_frames_lose_the_motion_and_not_the_person(woman, landmarker):
    order = np.random.default_rng(3).permutation(FRAMES)
    shuffled = evaluate(woman, [woman[i] for i in order], landmarker=landmarker)
    for name in ("yaw", "mouth_opening", "eye_opening", "rho_au", "rho_gaze", "rho_pose"):
        assert shuffled[name] < 0.6, name
    assert shuffled["identity"] < 0.45
    assert shuffled["jitter"] > 0.05


def test_a_still_picture_has_no_motion(woman):
    still = evaluate(woman, [woman[0]] * FRAMES)
    assert abs(still["yaw"]) < 0.4 and abs(still["mouth_opening"]) < 0.4
    assert "face landmarker" in still.missing["rho_au"] and still["rho_au"] is None
    assert still.per_frame["psnr_face"][0] == math.inf
    assert 0 not in still.worst[:5]


def test_puppet_of_itself_is_ideal(woman, man, landmarker):
    good = evaluate_puppet(woman[::8], woman, woman, landmarker=landmarker)
    assert good["identity"] < 0.3
    assert good["rho_au_gaze"] == pytest.approx(1) and good["yaw"] == pytest.approx(1)
    wrong = evaluate_puppet(man[::8], woman, woman)
    assert wrong["identity"] > 0.6


def test_sequences_must_match(woman):
    with pytest.raises(UsageError, match="second sequence ends after 2 frames"):
        evaluate(woman[:3], woman[:2])
    with pytest.raises(UsageError, match="no frames"):
        evaluate([], [])
