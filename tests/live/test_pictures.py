"""Live streams as pictures: the mean face, the person, the tuned person, as they come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facecodec.avatar.avatar import Avatar
from facecodec.avatar.tuning import Tuning
from facecodec.bitstream import FrameFlags
from facecodec.bitstream.coding.header import parse_header
from facecodec.encoding.pace import Pace
from facecodec.errors import StreamError, UsageError
from facecodec.fit.photometric import TrackingPlan
from facecodec.generator.sampling import draw_latents
from facecodec.live import ControlsEncoder, Decoder, LivePerson, LiveSettings, pictures
from facecodec.live.opening import open_link
from facecodec.live.pictures import Encoder, PictureDecoder, Tracked
from facecodec.live.spare import suits
from facecodec.live.tracker import PersonTracker
from facecodec.models import FaceModel
from tests.helpers import live_streams

SIZE = 256


@pytest.fixture(scope="module")
def model(generator, rig):
    return FaceModel(generator, rig)


@pytest.fixture(scope="module")
def avatar(model):
    rows = draw_latents(model.generator, model.generator.num_ws, seed=4, truncation=0.6)
    return Avatar(model, rows.numpy())


def test_the_person_comes_by_and_by(avatar, model):
    shape = 1 + avatar.num_controls, model.generator.num_styles
    noise = np.random.default_rng(1).normal(0, 0.1, shape)
    tuning = Tuning.light(noise, np.full(len(noise), 0.3))
    tuned = Avatar(model, avatar.latent, tuning)
    rows = np.random.default_rng(0).normal(0, 1, (80, avatar.num_controls)).astype(np.float32)

    def follow(frame: np.ndarray, _: float) -> Tracked:
        return Tracked(rows[frame[0, 0, 0]], FrameFlags.LOW_CONFIDENCE)

    encoder = Encoder(tuned, follow, settings=LiveSettings(person_bytes=3000))
    viewer = PictureDecoder(size=SIZE, model=model)
    with pytest.raises(StreamError, match="header"):
        viewer.avatar()
    stages: list[str] = []
    for i in range(len(rows)):
        data = encoder.push(np.full((2, 2, 3), i, np.uint8), i / 30)
        assert isinstance(data, bytes)
        known = viewer.decoder.tuning is not None
        if known or i == 0:  # drawing takes longer than decoding
            ((frame, picture),) = viewer.feed(data)
            person = viewer.avatar()
            assert frame.flags == FrameFlags.LOW_CONFIDENCE
            assert (picture == person.render(frame.controls[None], SIZE)[0]).all()
        else:
            viewer.decoder.feed(data)
            viewer.avatar()
        stages.append(viewer.stage)
        if known:
            break
    assert stages[0] == "nobody" and stages[-1] == "tuned person" and "person" in stages
    assert person.tuning is not None and (person.tuning.values == tuning.values).all()
    assert np.abs(person.latent - avatar.latent).max() < 0.06


def test_another_generator_is_refused(avatar, model):
    head = open_link(avatar).header
    other = ControlsEncoder(
        live_streams.header(num_ws=head.num_ws, w_dim=head.w_dim, control_steps=head.control_steps),
        live_streams.person(None),
    )
    viewer = PictureDecoder(size=SIZE, model=model)
    with pytest.raises(StreamError, match="generator"):
        list(viewer.feed(other.push(np.zeros(avatar.num_controls), 0)))
    wanting = ControlsEncoder(head, LivePerson(reference=bytes(31) + b"r"))
    with pytest.raises(StreamError, match="SHA-256 0000"):
        list(
            PictureDecoder(size=SIZE, model=model).feed(
                wanting.push(np.zeros(avatar.num_controls), 0)
            )
        )


def test_a_known_person_is_sent_as_they_come(avatar, finder):
    """A head that turns, drawn at known controls, through a tracker and a stream."""
    yaw = np.array([0.0, 0.3, 0.6])
    controls = np.zeros((len(yaw), avatar.num_controls), np.float32)
    controls[:, 0] = yaw
    quickly = TrackingPlan(
        iterations=2, full_iterations=0, preview_renders=1, refresh=9, pose_refresh=9
    )
    tracker = PersonTracker(avatar, plan=quickly)
    steps = tracker.quantiser().steps
    settings = LiveSettings(control_steps=tuple(steps.tolist()))
    encoder = Encoder(avatar, tracker, fps=25, settings=settings)
    decoder = Decoder()
    frames = []
    for i, picture in enumerate(avatar.render(controls, 512)):
        frames += decoder.feed(encoder.push(picture, i / 25))
    frames += decoder.feed(encoder.close()) + decoder.flush()
    assert decoder.header is not None and np.array_equal(decoder.header.control_steps, steps)
    assert steps.max() / steps.min() > 10
    turned = np.array([frame.controls[0] for frame in frames])
    assert len(frames) == len(yaw) and not any(frame.flags for frame in frames)
    assert np.abs(turned - yaw).max() < 0.25
    assert np.abs(frames[-1].placement[:2] - 256).max() < 30  # the square is the picture


def test_frames_may_be_tensors_and_no_others(avatar):
    seen: list[np.ndarray] = []

    def follow(frame: np.ndarray, _: float) -> Tracked:
        seen.append(frame)
        return Tracked(np.zeros(avatar.num_controls, np.float32))

    encoder = Encoder(avatar, follow)
    frame = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    encoder.push(torch.from_numpy(frame), 0)
    assert isinstance(seen[0], np.ndarray) and np.array_equal(seen[0], frame)
    for wrong in (frame[0], frame.astype(np.float32), frame[..., :2]):
        with pytest.raises(UsageError, match="uint8"):
            encoder.push(wrong, 1)


def test_steps_that_do_not_fit_are_refused(avatar):
    for steps, words in (((0.1,) * 34, "34"), ((0.1,) * 34 + (0.0,), "positive")):
        with pytest.raises(UsageError, match=words):
            open_link(avatar, settings=LiveSettings(control_steps=steps))
    odd = open_link(avatar, settings=LiveSettings(control_steps=(0.1003,) * 35)).header
    again = parse_header(odd.pack())
    assert np.array_equal(again.control_steps, odd.control_steps)  # what a reader will take


def test_a_tracker_sees_nobody_in_an_empty_frame(avatar, finder):
    quickly = TrackingPlan(preview_renders=1)
    tracked = PersonTracker(avatar, plan=quickly)(np.full((240, 320, 3), 90, np.uint8), 0.0)
    assert tracked.flags == FrameFlags.NO_FACE
    assert tracked.placement is None and not tracked.controls.any()


def test_a_frame_that_there_is_no_time_for_is_passed_over_and_counted(avatar, finder):
    clock = iter([0.0, 1.0, 1.0, 2.0, 2.0, 2.0])
    tracker = PersonTracker(avatar, plan=TrackingPlan(preview_renders=1), keep_up=True)
    tracker._pace = Pace(lambda: next(clock))
    blank = np.full((240, 320, 3), 90, np.uint8)
    flags = [tracker(blank, i / 25).flags for i in range(3)]
    assert flags == [FrameFlags.NO_FACE, FrameFlags.LOW_CONFIDENCE, FrameFlags.LOW_CONFIDENCE]
    assert (tracker.dropped, tracker.hurried) == (2, 0)


def test_a_generator_that_was_loaded_before_is_the_streams(avatar, model, monkeypatch):
    monkeypatch.setattr(pictures, "spare_model", lambda device, size: model)
    viewer = PictureDecoder(size=SIZE)
    viewer.prepare()
    monkeypatch.setattr(pictures, "load_stream_models", None)  # it is not loaded again
    link = open_link(avatar, settings=LiveSettings(person_bytes=100))
    data = link.push(np.zeros(avatar.num_controls, np.float32), 0)
    assert isinstance(data, bytes) and viewer.decoder.feed(data)
    assert viewer.avatar().model is model
    assert not suits(model, replace(link.header, rig_sha256=bytes(32)))
