"""A person within seconds: begun from one frame, gone on with, beside other work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from facecodec.encoding.presets import CONTINUED_INVERSION, QUICK_INVERSION
from facecodec.encoding.quick_person import PersonFit, quick_person, view_of
from facecodec.errors import UsageError
from facecodec.face.mask import face_mask
from facecodec.fit.inversion import Inverter
from facecodec.models import FaceModel
from facecodec.video.reader import VideoReader

SHORT = replace(QUICK_INVERSION, w_steps=2, w_plus_steps=1, full_steps=1)
LONG = replace(CONTINUED_INVERSION, coarse_size=64, warm_up=1)


@pytest.fixture(scope="module")
def model(generator, rig) -> FaceModel:
    return FaceModel(generator, rig)


@pytest.fixture(scope="module")
def view(sample, finder, model):
    with VideoReader(sample) as reader:
        frame = next(iter(reader.frames(None, None, 1))).image
    finder.reset()
    return view_of(frame, finder(frame), model)


def off(avatar, view) -> float:
    """Return the mean difference of an inner face from a view's, in grey levels."""
    target = view.target
    size = target.picture.shape[-1]
    shown = avatar.render(np.zeros((1, avatar.num_controls), np.float32), size)[0]
    wanted = (target.picture.permute(1, 2, 0).numpy() + 1) * 127.5
    inside = face_mask(target.landmarks * size, size) > 0.5
    return float(np.abs(shown - wanted)[inside].mean())


@pytest.mark.slow
def test_a_stranger_is_known_within_seconds_and_better_later(view, model):
    told = []
    quick = quick_person(model, [view], lambda *progress: told.append(progress))
    assert told[-1] == ("inversion", QUICK_INVERSION.steps, QUICK_INVERSION.steps)
    assert QUICK_INVERSION.steps <= 70  # some seven seconds of two threads of one core
    later = PersonFit(model, [view], CONTINUED_INVERSION, quick)
    for _ in islice(later.steps(), 60):
        pass
    assert off(later.avatar(), view) < off(quick, view) < 11


def test_a_fit_that_goes_on_begins_at_the_person_it_is_given(view, model):
    first = PersonFit(model, [view], replace(SHORT, full_steps=0))
    for _ in first.steps():
        pass
    known = first.avatar()
    again = PersonFit(model, [view], LONG, known)
    # as coded, and coded again
    torch.testing.assert_close(
        torch.from_numpy(again.avatar().latent), torch.from_numpy(known.latent), atol=0.02, rtol=0
    )
    steps = again.steps()
    assert next(steps) == (1, LONG.steps)
    assert np.abs(again.avatar().latent - known.latent).max() > 0


def test_a_fit_on_a_thread_of_its_own_is_the_same_while_pictures_are_drawn(view, model):
    def fitted() -> np.ndarray:
        return quick_fit().latent

    def quick_fit():
        fit = PersonFit(model, [view], SHORT)
        assert [done for done, _ in fit.steps()] == [1, 2, 3, 4]
        return fit.avatar()

    alone = quick_fit()
    zeros = np.zeros((1, alone.num_controls), np.float32)
    drawn = alone.render(zeros)
    with ThreadPoolExecutor(1) as beside:
        coming = beside.submit(fitted)
        while not coming.done():
            assert (alone.render(zeros) == drawn).all()
    np.testing.assert_array_equal(coming.result(), alone.latent)


def test_the_first_view_keeps_controls_0_and_others_begin_at_theirs(view, model, monkeypatch):
    starts = []
    begun = Inverter.__init__

    def init(self, generator, basis, targets, start, *rest):
        starts.append(start)
        begun(self, generator, basis, targets, start, *rest)

    monkeypatch.setattr(Inverter, "__init__", init)
    count = len(model.rig.names)
    turned = replace(view, signals=view.signals + np.array([0.2, 0, 0, 0, 0, 0]))
    PersonFit(model, [view, turned, replace(view, controls=np.full(count, 0.5))], SHORT)
    controls = starts[0].controls
    assert controls.shape == (3, count)
    assert (controls[0] == 0).all() and (controls[2] == 0.5).all()
    assert controls[1, 0] != 0 and (controls[1, 3:] == 0).all()


def test_no_view_is_refused(model):
    with pytest.raises(UsageError, match="no frame to take a person from"):
        PersonFit(model, [])
