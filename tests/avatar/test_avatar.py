"""An avatar: one person out of a stream, a file or numbers, drawn at any controls."""

from __future__ import annotations

import hashlib
import os
import signal
from fractions import Fraction

import numpy as np
import pytest
import torch

from facecodec.avatar.avatar import Avatar, load_avatar
from facecodec.avatar.identity import MAX_PERSON_FILE_BYTES, identity_for
from facecodec.avatar.tuning import Tuning
from facecodec.bitstream import StreamWriter, load_identity_file, open_stream
from facecodec.encoding.write import new_header, write_stream
from facecodec.errors import StreamError, UsageError
from facecodec.fit.weight_tuning import tensor_sizes
from facecodec.generator.sampling import draw_latents
from facecodec.models import FaceModel


@pytest.fixture(scope="module")
def model(generator, rig):
    return FaceModel(generator, rig)


@pytest.fixture(scope="module")
def avatar(model):
    w = draw_latents(model.generator, 1, seed=4, truncation=0.6)[0].numpy()
    return Avatar(model, np.tile(w, (model.generator.num_ws, 1)))


@pytest.fixture(scope="module")
def controls(avatar):
    return np.random.default_rng(0).normal(0, 1, (2, avatar.num_controls)).astype(np.float32)


@pytest.fixture(scope="module")
def light(avatar, model):
    shape = 1 + avatar.num_controls, model.generator.num_styles
    noise = np.random.default_rng(1).normal(0, 0.1, shape)
    return Tuning.light(noise, np.full(len(noise), 0.02))


def test_arrays_give_arrays_and_tensors_tensors(avatar, controls):
    pictures = avatar.render(controls, 256)
    assert pictures.shape == (2, 256, 256, 3) and pictures.dtype == np.uint8
    drawn = avatar.render(torch.from_numpy(controls).double(), 256)
    assert isinstance(drawn, torch.Tensor) and (drawn.numpy() == pictures).all()
    assert (avatar.render(controls[1:], 256)[0] == pictures[1]).all()
    small = avatar.preview(controls, 64)
    assert small.shape == (2, 64, 64, 3) and small.std() > 10
    shrunk = pictures.reshape(2, 64, 4, 64, 4, 3).mean((2, 4))
    own, other = (np.abs(shrunk - shown).mean() for shown in (small, small[::-1]))
    assert own < other / 3


def test_landmarks_do_not_depend_on_what_was_read_before(avatar, controls, finder):
    first = avatar.landmarks(controls[:1])
    assert first.shape == (1, 68, 2) and np.nanmin(first) > 0 and np.nanmax(first) < 1
    avatar.landmarks(3 * controls)
    np.testing.assert_array_equal(avatar.landmarks(controls[:1]), first)


@pytest.mark.parametrize("size", [-256, 300, 2048, 3, 0, "256", 1024.0, True, np.nan])
def test_other_sizes_are_refused(avatar, controls, size):
    with pytest.raises(UsageError, match="size"):
        avatar.render(controls, size)


@pytest.mark.filterwarnings("error")
def test_any_rows_of_numbers_are_controls(avatar, controls):
    frozen = controls[:1].copy()
    frozen.flags.writeable = False
    expected = avatar.render(controls[:1], 256)
    assert (avatar.render(frozen, 256) == expected).all()
    assert (avatar.render(frozen.tolist(), 256) == expected).all()


def test_controls_that_are_not_finite_are_refused(avatar, controls):
    with pytest.raises(UsageError, match="finite"):
        avatar.render(controls * np.nan, 256)


def test_other_shapes_are_refused(avatar, model):
    for wrong in (np.zeros(35), np.zeros((1, 34)), np.zeros((0, 35))):
        with pytest.raises(UsageError, match=r"\[N, 35\]"):
            avatar.render(wrong)
    with pytest.raises(UsageError, match="identity latent"):
        Avatar(model, np.zeros((2, 512), np.float32))


def test_a_person_comes_back_out_of_both_kinds_of_file(avatar, light, model, controls, tmp_path):
    tuned = Avatar(model, avatar.latent, light)
    assert not (tuned.render(controls[:1], 256) == avatar.render(controls[:1], 256)).all()
    write_stream(tmp_path / "a.fcv", tuned, controls)
    tuned.save(tmp_path / "a.fci")
    for name in ("a.fcv", "a.fci"):
        back = load_avatar(tmp_path / name, model)
        assert back.tuning.to_bytes() == light.to_bytes() and back.tuning.kind == "light"
        again = Avatar(model, back.latent, light)  # the latent is quantised
        assert (back.render(controls[:1], 256) == again.render(controls[:1], 256)).all()
    with pytest.raises(UsageError, match="exists already"):
        tuned.save(tmp_path / "a.fci")
    with pytest.raises(UsageError, match="a person is"):
        load_avatar(tmp_path / "a.mp4", model)


def test_a_tuning_reads_back_what_it_was(light, model):
    back = Tuning.from_bytes(light.to_bytes(), model.generator, len(model.rig.names))
    np.testing.assert_array_equal(back.values, light.values)
    weights = np.random.default_rng(2).normal(0, 0.05, sum(tensor_sizes(model.generator)))
    full = light.with_weights(weights, 0.01)
    back = Tuning.from_bytes(full.to_bytes(), model.generator, len(model.rig.names))
    assert back.kind == "full"
    np.testing.assert_array_equal(back.weights, full.weights)
    np.testing.assert_array_equal(back.values, light.values)
    assert np.abs(full.weights - weights).max() < 0.006
    with pytest.raises(StreamError):
        Tuning.from_bytes(light.to_bytes(), model.generator, len(model.rig.names) - 1)
    with pytest.raises(StreamError):
        Tuning.from_bytes(b"\7", model.generator, len(model.rig.names))


def test_another_generator_is_one_error(avatar, model, controls, tmp_path, monkeypatch):
    write_stream(tmp_path / "a.fcv", avatar, controls)
    avatar.save(tmp_path / "a.fci")
    monkeypatch.setattr(model.generator, "sha256", "0" * 64)
    for name in ("a.fcv", "a.fci"):
        with pytest.raises(UsageError, match=f"{name}: made for generator .*, not .*000000"):
            load_avatar(tmp_path / name, model)


def write_reference(path, model, digest, controls):
    """Write a stream of one frame that refers to a person's file by its SHA-256."""
    with path.open("wb") as file:
        header = new_header(model, (640, 480), Fraction(1, 25), None)
        with StreamWriter(file, header) as writer:
            writer.write_identity_reference(digest)
            writer.write_frame(0, controls[0])


def test_the_right_identity_file_is_found_beside_the_stream(avatar, model, controls, tmp_path):
    """Whatever it is called; another one, a damaged one or a folder is none."""
    avatar.save(tmp_path / "zoe.fci")
    Avatar(model, avatar.latent * 0.5).save(tmp_path / "other.fci")
    (tmp_path / "broken.fci").write_bytes(b"no person")
    (tmp_path / "folder.fci").mkdir()
    digest = hashlib.sha256((tmp_path / "zoe.fci").read_bytes()).digest()
    path = tmp_path / "talk.fcv"
    write_reference(path, model, digest, controls)
    avatar = Avatar.from_stream(path, model=model)
    want = load_avatar(tmp_path / "zoe.fci", model)
    np.testing.assert_array_equal(avatar.latent, want.latent)
    (tmp_path / "zoe.fci").rename(tmp_path / "zoe.moved")
    assert identity_for(open_stream(path)) is None
    with pytest.raises(StreamError, match=digest.hex()):
        Avatar.from_stream(path, model=model)
    assert load_identity_file(tmp_path / "other.fci").sha256 != digest
    with pytest.raises(StreamError, match="needs the .fci file"):
        Avatar.from_stream(path, tmp_path / "other.fci", model=model)


def test_what_is_no_file_beside_the_stream_is_not_waited_for(
    avatar, model, controls, tmp_path, monkeypatch
):
    """A pipe would be waited for for ever; files that are no persons are not read whole."""
    avatar.save(tmp_path / "zoe.FCI")
    digest = hashlib.sha256((tmp_path / "zoe.FCI").read_bytes()).digest()
    path = tmp_path / "talk.fcv"
    write_reference(path, model, digest, controls)
    os.mkfifo(tmp_path / "a.fci")
    (tmp_path / "b.fci").symlink_to("a.fci")
    (tmp_path / "c.fci").symlink_to("gone")
    with (tmp_path / "d.fci").open("wb") as hole:
        hole.truncate(MAX_PERSON_FILE_BYTES)
    signal.signal(signal.SIGALRM, _too_slow)
    signal.alarm(20)
    hashed = []
    monkeypatch.setattr(
        hashlib, "file_digest", lambda f, n: hashed.append(f) or hashlib.new(n, f.read())
    )
    try:
        file = identity_for(open_stream(path))
    finally:
        signal.alarm(0)
    assert file is not None and file.sha256 == digest
    assert len(hashed) == 1


def _too_slow(*_):
    raise AssertionError("the search waits")
