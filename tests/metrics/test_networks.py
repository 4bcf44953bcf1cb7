"""LPIPS, FID and FVD on stand-in weights: the code runs, and says n/a without weights.

The numbers of random networks mean nothing; what is tested is that equal pictures are at 0,
that distance grows with distortion, and that our networks are the published ones.
"""

import copy

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from facecodec.cli.main import main
from facecodec.errors import ModelError, UsageError
from facecodec.metrics import i3d, inception, networks
from facecodec.metrics.frechet import frechet_distance
from facecodec.metrics.i3d import I3D
from facecodec.metrics.inception import Inception
from facecodec.metrics.lpips import LAYERS
from facecodec.weights.networks import install_network, save_network
from facecodec.weights.store import read_record


@pytest.fixture
def pictures():
    """Six smooth pictures, and the same with noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:96, 0:96] / 96
    clean = [
        np.stack([x * 200 + 5 * i, y * 180 + 20, 100 + 80 * np.sin(6 * x + i)], 2) for i in range(6)
    ]
    noisy = [(p + rng.normal(0, 25, p.shape)).clip(0, 255).astype(np.uint8) for p in clean]
    return [p.astype(np.uint8) for p in clean], noisy


def alexnet():
    torch.manual_seed(1)
    tensors = {"classifier.6.weight": torch.zeros(3)}
    for key, i, o, kernel, *_ in LAYERS:
        tensors[f"{key}.weight"] = torch.randn(o, i, kernel, kernel) / (i * kernel * kernel) ** 0.5
        tensors[f"{key}.bias"] = torch.zeros(o)
    return tensors


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path))
    return tmp_path


def test_frechet_distance_of_gaussians():
    rng = np.random.default_rng(0)
    a = rng.normal(0, 1, (4000, 3)) * [1, 2, 3]
    b = rng.normal(0, 1, (5000, 3)) * [2, 2, 1] + [5, 0, 0]
    # for axis-aligned Gaussians: the squared distance of means and of standard deviations
    assert frechet_distance(a, b) == pytest.approx(25 + 1 + 0 + 4, rel=0.05)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a[:1], b) is None


@pytest.mark.parametrize("count", [(5, 7), (30, 40), (8, 50)])
def test_frechet_distance_equals_the_definition(count):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(count[0], 20)), rng.normal(1, 2, size=(count[1], 20))
    one, two = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.sqrt(np.linalg.eigvals(one @ two).astype(complex)).real.sum()
    shift = a.mean(0) - b.mean(0)
    wanted = shift @ shift + np.trace(one) + np.trace(two) - 2 * root
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-4)


def test_without_weights_nothing_is_made_up(store):
    for puppet, names in ((False, {"lpips", "fid", "fvd"}), (True, {"fid", "fvd", "fvd_w"})):
        measures, missing = networks.load(puppet)
        assert measures == {} and set(missing) == names
        for reason in missing.values():
            assert reason.startswith("needs ") and "facecodec model install" in reason


def test_lpips_on_stand_in_weights(store, pictures):
    pytest.importorskip("torchmetrics", reason="no torchmetrics: pip install 'facecodec[eval]'")
    save_network("lpips-alexnet", alexnet(), "made here")
    measures, missing = networks.load()
    assert set(measures) == {"lpips"} and set(missing) == {"fid", "fvd"}
    measure = measures["lpips"]
    clean, noisy = pictures
    measure.add(clean[0], clean[0])
    assert measure.result() == pytest.approx(0, abs=1e-7)
    near, far = networks.load()[0]["lpips"], networks.load()[0]["lpips"]
    for a, b in zip(clean, noisy, strict=True):
        near.add(a, (a // 2 + b // 2))
        far.add(a, b)
    assert 0 < near.result() < far.result()


def test_lpips_is_the_published_one():
    """Against torchmetrics' own network, where its backbone's package is there."""
    pytest.importorskip("torchvision")
    from torchmetrics.functional.image.lpips import _LPIPS

    theirs = _LPIPS(pretrained=True, net="alex", pnet_rand=True)
    names = {f"net.slice{i + 1}": key for i, (key, *_) in enumerate(LAYERS)}
    state = theirs.net.state_dict()
    backbone = {
        f"{key}.{part}": next(v for k, v in state.items() if f"slice{i + 1}." in k and part in k)
        for i, (key, *_) in enumerate(LAYERS)
        for part in ("weight", "bias")
    }
    assert len(names) == 5
    ours = networks.lpips_of(backbone)
    a, b = torch.rand(2, 1, 3, 64, 64) * 2 - 1
    assert float(ours(a, b)) == pytest.approx(float(theirs(a, b)), rel=1e-5)


def test_fid_on_stand_in_weights(store, pictures, monkeypatch):
    torch.manual_seed(2)
    network = Inception()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):  # so that something arrives at the other end
            torch.nn.init.kaiming_normal_(module.weight)
    save_network("fid-inception", network.state_dict(), "made here")
    monkeypatch.setattr(
        inception, "INPUT_SIZE", 107
    )  # the layers are the same, the maps are smaller
    same = networks.load()[0]["fid"]
    other = copy.deepcopy(same)
    clean, noisy = pictures
    for a, b in zip(clean[:3], noisy[:3], strict=True):
        same.add(a, a)
        other.add(a, b)
    assert same.result() == pytest.approx(0, abs=1e-6)
    assert other.result() > 1e-3


def test_networks_have_the_published_sizes():
    with torch.device("meta"):
        pictures, clips = Inception(), I3D()
    # pytorch-fid's file without its classifier; pytorch-i3d's with its 400 classes
    assert sum(p.numel() for p in pictures.parameters()) == 21_785_568
    assert sum(p.numel() for p in clips.parameters()) == 12_697_264
    assert "Mixed_7c.branch3x3dbl_3b.conv.weight" in pictures.state_dict()
    assert clips.state_dict()["Mixed_4f.b1b.conv3d.weight"].shape == (320, 160, 3, 3, 3)


def test_fvd_counts_clips(pictures):
    class Mean(torch.nn.Module):
        def forward(self, clips):
            assert clips.shape[:3] == (2, 3, 16)
            return clips.mean((3, 4)).reshape(2, -1)

    clean, noisy = pictures
    whole, windows = networks.Fvd(Mean()), networks.Fvd(Mean(), window=32)
    same = networks.Fvd(Mean())
    short = networks.Fvd(Mean())
    for i in range(70):
        pair = clean[i % 6], noisy[(i * 5) % 6]
        whole.add(*pair)
        windows.add(*pair)
        same.add(pair[0], pair[0])
        if i < 19:
            short.add(*pair)
    assert whole.result() > 0 and windows.result() > 0
    assert same.result() == pytest.approx(0, abs=1e-9)
    assert short.result() is None  # one clip has no covariance


def test_fvd_on_stand_in_weights(store, pictures, monkeypatch):
    monkeypatch.setattr(i3d, "INPUT_SIZE", 64)
    torch.manual_seed(3)
    network = I3D()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv3d):
            torch.nn.init.kaiming_normal_(module.weight)
    save_network("fvd-i3d", network.state_dict(), "made here")
    same = networks.load()[0]["fvd"]
    other = copy.deepcopy(same)
    clean, noisy = pictures
    for i in range(20):  # two clips
        same.add(clean[i % 6], clean[i % 6])
        other.add(clean[i % 6], noisy[i % 6])
    assert same.result() == pytest.approx(0, abs=1e-6)
    assert other.result() > 1e-3


def test_i3d_takes_a_clip():
    torch.manual_seed(3)
    with torch.inference_mode():
        scores = I3D().eval()(torch.rand(1, 3, 16, 32, 32) * 2 - 1)
    assert scores.shape == (1, 400) and bool(torch.isfinite(scores).all())


def test_another_network_is_refused(store):
    save_network("fid-inception", {"weight": torch.zeros(3)}, "made here")
    with pytest.raises(ModelError, match="another network"):
        networks.load()


def test_installing_from_a_file(store, tmp_path):
    path = tmp_path / "rgb_imagenet.pt"
    torch.save({**I3D().state_dict(), "steps": torch.tensor(3)}, path)
    done = CliRunner().invoke(main, ["model", "install", "fvd-i3d", "--from", str(path)])
    assert done.exit_code == 0, done.output
    assert read_record("fvd-i3d").kind == "measure"
    assert set(networks.load()[0]) == {"fvd"}


def test_a_wrong_file_is_refused(store, tmp_path):
    path = tmp_path / "alexnet-owt-7be5be79.pth"
    torch.save(alexnet(), path)
    with pytest.raises(ModelError, match="SHA-256 does not begin 7be5be79"):
        install_network("lpips-alexnet", path)
    with pytest.raises(UsageError, match="is in no package"):
        install_network("lpips-alexnet", None)
    junk = tmp_path / "rgb_imagenet.pt"
    junk.write_bytes(b"cos\nsystem\n(S'touch x'\ntR.")
    with pytest.raises(ModelError, match="no file of tensors"):
        install_network("fvd-i3d", junk)
