"""`facecodec bench` and `facecodec doctor`."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cuda_ops import dispatch
from facecodec.cli.main import main
from facecodec.workshop.bench import Row, interleaved


def test_doctor(generator):
    result = CliRunner().invoke(main, ["doctor", "--json"])
    rows = {row["topic"]: row for row in json.loads(result.stdout)}
    assert {"python", "torch", "compiler", "ninja", "kernels, cpu", "CUDA", "chosen"} <= set(rows)
    assert rows[generator.name]["state"] == "good"
    bad = any(row["state"] == "bad" for row in rows.values())
    assert result.exit_code == int(bad)


def test_doctor_needs_no_compiler_where_kernels_are_ready(monkeypatch):
    """As those are that the wheel brings."""
    if dispatch.state("cpu") != "ready":
        pytest.skip("no kernels here")
    monkeypatch.setenv("CXX", "/none")
    result = CliRunner().invoke(main, ["doctor", "--json"])
    rows = {row["topic"]: row for row in json.loads(result.stdout)}
    assert rows["compiler"]["state"] == "note" and "/none" in rows["compiler"]["text"]
    assert rows["kernels, cpu"]["state"] == "good" and ".so" in rows["kernels, cpu"]["text"]


def test_doctor_names_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path))
    monkeypatch.setenv("FACECODEC_KERNEL", "fastest")
    result = CliRunner().invoke(main, ["doctor", "--json"])
    rows = {row["topic"]: row for row in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert "facecodec model install" in rows["mobilestylegan-ffhq"]["text"]
    assert rows["chosen"]["state"] == "bad"


def test_contestants_take_turns():
    calls: list[str] = []
    got = interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert "".join(calls) == "ab" * 4
    assert set(got) == {"a", "b"}


def test_speedup_is_against_the_reference():
    row = Row("x", 1, {"reference": 10.0, "cpu fp32": 2.5})
    assert row.speedup("cpu fp32") == 4
    assert row.speedup("cuda fp32") is None


@pytest.mark.slow
def test_bench_of_a_random_stylegan2():
    arguments = ["bench", "--stylegan2", "64", "--rounds", "1", "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    rows = {row["name"]: row["milliseconds"] for row in json.loads(result.stdout)["rows"]}
    assert {"conv: 512 channels, 4x4", "up: 512 channels, 64x64", "to colours: 64x64"} <= set(rows)
    assert rows["frame 64, floats"]["reference"] > 0
    assert "decode to mp4" not in rows
    assert ("cpu bf16" in rows["frame 64, floats"]) == dispatch.has_bf16()


@pytest.mark.slow
def test_bench(generator):
    result = CliRunner().invoke(main, ["bench", "--rounds", "1", "--frames", "3", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    names = [row["name"] for row in report["rows"]]
    assert "frame 1024, bytes" in names and "decode to mp4" in names
    assert all(ms > 0 for row in report["rows"] for ms in row["milliseconds"].values())
