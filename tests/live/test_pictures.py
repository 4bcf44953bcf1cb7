"""Live streams as pictures: the mean face, the person, the tuned person, as they come."""

from __future__ import annotations

import numpy as np
import pytest

from facecodec.avatar.avatar import Avatar
from facecodec.avatar.tuning import Tuning
from facecodec.bitstream import FrameFlags
from facecodec.errors import StreamError
from facecodec.generator.sampling import draw_latents
from facecodec.live import ControlsEncoder, LivePerson, LiveSettings
from facecodec.live.pictures import Encoder, PictureDecoder, Tracked, open_link
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

    def follow(frame: np.ndarray) -> Tracked:
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
