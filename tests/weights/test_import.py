"""Import: every kind of checkpoint to the same tensors, and the command that does it."""

from __future__ import annotations

import json
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.numpy import save_file

from facecodec.cli.model import command
from facecodec.errors import ModelError, UsageError
from facecodec.generator.stylegan2 import StyleGAN2
from facecodec.generator.stylegan2_layout import Layout
from facecodec.weights import store
from facecodec.weights.identity import tensor_sha256
from facecodec.weights.importer import import_checkpoint, read_checkpoint
from tests.helpers.checkpoints import (
    SMALL,
    Module,
    nvidia_network,
    random_tensors,
    write_encoder,
    write_nvidia,
    write_rosinality,
)


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def tensors() -> dict[str, np.ndarray]:
    return random_tensors(SMALL)


def write_safetensors(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    save_file(tensors, path)
    return path


WRITERS = {
    "nvidia.pkl": write_nvidia,
    "inference.pt": write_rosinality,
    "old.pt": lambda path, tensors: write_rosinality(path, tensors, legacy=True),
    "e4e.pt": lambda path, tensors: write_encoder(path, tensors, rows=10),
    "ours.safetensors": write_safetensors,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_gives_the_same_tensors(name, tensors, tmp_path):
    path = WRITERS[name](tmp_path / name, tensors)
    _, loaded, layout = read_checkpoint(path)
    assert layout == SMALL
    assert set(loaded) == set(tensors)
    for key, value in tensors.items():
        assert loaded[key].dtype == np.float32
        np.testing.assert_array_equal(loaded[key], value)


def test_the_content_decides_not_the_name(tensors, tmp_path):
    kind, _, _ = read_checkpoint(write_nvidia(tmp_path / "weights.pt", tensors))
    assert kind == "NVIDIA"


def test_embedded_source_is_not_run(tensors, tmp_path):
    mark = tmp_path / "mark"
    source = f"open({str(mark)!r}, 'w').write('executed')"
    path = write_nvidia(tmp_path / "marked.pkl", tensors, source)
    _, loaded, _ = read_checkpoint(path)
    assert tensor_sha256(loaded) == tensor_sha256(tensors)
    assert not mark.exists()
    # the same file does leave its mark where pickle is trusted, so the proof is one
    with path.open("rb") as file:
        pickle.load(file)  # noqa: S301
    assert mark.exists()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol(protocol, tensors, tmp_path):
    path = tmp_path / "p.pkl"
    path.write_bytes(pickle.dumps({"G_ema": nvidia_network(tensors)}, protocol=protocol))
    assert tensor_sha256(read_checkpoint(path)[1]) == tensor_sha256(tensors)


@pytest.mark.parametrize("legacy", [False, True])
def test_training_checkpoint_without_a_mean(legacy, tensors, tmp_path):
    path = write_rosinality(tmp_path / "000100.pt", tensors, training=True, legacy=legacy)
    _, loaded, _ = read_checkpoint(path)
    network = StyleGAN2.from_tensors(loaded, "x", "0" * 64)
    with torch.no_grad():
        sampled = network.mapping(torch.randn(4000, 512))
    expected, spread = sampled.mean(0), sampled.std(0)
    assert float(((network.w_mean - expected) / spread).abs().max()) < 0.1
    same = set(tensors) - {"mapping.w_avg"}
    assert all(np.array_equal(loaded[key], tensors[key]) for key in same)


def test_a_training_checkpoint_of_python_3_13(tensors, tmp_path, monkeypatch):
    """Paths are of another module there."""
    of_3_13 = type("PosixPath", (type(Path()),), {"__module__": "pathlib._local"})
    module = types.ModuleType("pathlib._local")
    module.PosixPath = of_3_13
    monkeypatch.setitem(sys.modules, "pathlib._local", module)
    monkeypatch.setattr("tests.helpers.checkpoints.Path", of_3_13)
    path = write_rosinality(tmp_path / "000100.pt", tensors, training=True)
    assert b"pathlib._local" in path.read_bytes()
    loaded = read_checkpoint(path)[1]
    assert np.array_equal(loaded["synthesis.b4.const"], tensors["synthesis.b4.const"])


def test_clamped_network(tmp_path):
    layout = Layout(SMALL.channels, 2, noise=True, clamp=True)
    tensors = random_tensors(layout)
    path = write_nvidia(tmp_path / "clamped.pkl", tensors, clamp=2.5)
    _, loaded, read = read_checkpoint(path)
    assert read == layout
    assert tensor_sha256(loaded) == tensor_sha256(tensors)
    assert import_checkpoint(path).sha256 == tensor_sha256(tensors)
    assert store.load_generator("clamped").resolution == 64


def test_half_precision_and_channels_last(tensors, tmp_path):
    network = nvidia_network(tensors)
    conv = network.modules["synthesis"].modules["b64"].modules["conv1"]
    conv.parameters["weight"] = (
        conv.parameters["weight"].half().to(memory_format=torch.channels_last)
    )
    path = tmp_path / "half.pkl"
    path.write_bytes(pickle.dumps({"G_ema": network}))
    _, loaded, _ = read_checkpoint(path)
    key = "synthesis.b64.conv1.weight"
    np.testing.assert_array_equal(loaded[key], tensors[key].astype(np.float16).astype(np.float32))


def change(module: str, **settings):
    def apply(network: Module) -> None:
        for part in module.split("."):
            network = network.modules[part]
        network.settings.update(settings)

    return apply


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (change("synthesis.b8", architecture="resnet"), "architecture 'resnet'; only 'skip'"),
        (change("synthesis.b8.conv0", activation="relu"), "activation 'relu'"),
        (change("mapping", c_dim=10), "c_dim '10'; only 0"),
        (change("mapping.fc3", bias_gain=1.0), "bias_gain '1.0'"),
        (change("synthesis.b8.conv1", conv_clamp=256), "different values"),
    ],
)
def test_settings_that_are_not_rendered_are_refused(spoil, message, tensors, tmp_path):
    network = nvidia_network(tensors)
    spoil(network)
    path = tmp_path / "other.pkl"
    path.write_bytes(pickle.dumps({"G_ema": network}))
    with pytest.raises(ModelError, match=message):
        read_checkpoint(path)


def test_another_filter_is_refused(tensors, tmp_path):
    network = nvidia_network(tensors)
    network.modules["synthesis"].modules["b8"].modules["conv0"].buffers["resample_filter"] = (
        torch.full((4, 4), 1 / 16)
    )
    path = tmp_path / "box.pkl"
    path.write_bytes(pickle.dumps({"G_ema": network}))
    with pytest.raises(ModelError, match=r"b8\.conv0\.resample_filter is not the filter"):
        read_checkpoint(path)


def test_import_installs_and_loads(tensors, tmp_path):
    path = write_nvidia(tmp_path / "My Net.pkl", tensors)
    record = import_checkpoint(path)
    assert record.name == "my-net"
    assert record.architecture == "stylegan2"
    assert record.sha256 == tensor_sha256(tensors)
    assert record.facts["parameters"] == sum(value.size for value in tensors.values())
    generator = store.load_generator("my-net")
    assert (generator.sha256, generator.resolution) == (record.sha256, 64)
    with pytest.raises(UsageError, match="exists already"):
        import_checkpoint(path)
    import_checkpoint(path, force=True)


def test_names_of_the_catalogue_are_taken(tensors, tmp_path):
    path = write_nvidia(tmp_path / "x.pkl", tensors)
    with pytest.raises(UsageError, match="catalogue's own"):
        import_checkpoint(path, "mobilestylegan-ffhq", force=True)


def test_one_identity_for_one_network(tensors, tmp_path):
    first = import_checkpoint(write_nvidia(tmp_path / "a.pkl", tensors))
    second = import_checkpoint(write_rosinality(tmp_path / "b.pt", tensors))
    assert first.sha256 == second.sha256


def test_command(tensors, tmp_path):
    path = write_nvidia(tmp_path / "net.pkl", tensors)
    result = CliRunner().invoke(command, ["import", str(path), "--name", "mine"])
    assert result.exit_code == 0, result.output
    for fact in ("64x64", "64 64 32 16 8", f"{tensor_sha256(tensors)}"):
        assert fact in result.output
    result = CliRunner().invoke(command, ["import", str(path), "--json", "-f"])
    assert json.loads(result.stdout)["facts"]["channels"] == [64, 64, 32, 16, 8]
