"""Signals and readers that stand still: every command ends at once and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WORK = """
import pathlib, sys, time
import click
from facecodec import atomic
from facecodec.cli.main import main, run

@main.command()
def work():
    with atomic.written_whole(pathlib.Path("out.fcv")) as file, \\
            atomic.folder_whole(pathlib.Path(".")) as series, atomic.scratch_folder() as scratch:
        (series / "p1.png").touch()
        (scratch / "driver.fcv").touch()
        print("ready", flush=True)
        time.sleep(60)

main.get_command = lambda ctx, name: work
run(["work"])
"""

PIPE = """
import sys
from fractions import Fraction
import click, numpy as np
from facecodec.cli.main import main, run
from facecodec.decoding.worker import Background
from facecodec.video.writer import open_sink

@main.command()
def work():
    picture = np.zeros((256, 256, 3), np.uint8)
    with open_sink("-", (256, 256), Fraction(1, 25), Fraction(25)) as sink:
        with Background(sink.cancel) as background:
            for i in range(1000):
                background.submit(sink.write, picture, i)
                if i == 3:
                    print("ready", file=sys.stderr, flush=True)

main.get_command = lambda ctx, name: work
run(["work"])
"""

STREAM = """
import sys, time
import click
from facecodec import atomic
from facecodec.cli.main import main, run

@main.command()
def work():
    with atomic.opened_whole("-") as file:
        print("ready", file=sys.stderr, flush=True)
        for _ in range(200):
            file.write(bytes(100_000))

main.get_command = lambda ctx, name: work
run(["work"])
"""


def start(script: str, folder: Path, **pipes: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", script], cwd=folder, env={**os.environ, "TMPDIR": str(folder)},
        preexec_fn=lambda: [signal.signal(n, signal.SIG_DFL) for n in (1, 2, 15)], **pipes,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_nothing(number, tmp_path):
    process = start(WORK, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert len(list(tmp_path.iterdir())) == 3
    process.send_signal(number)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert error.decode().strip().splitlines() == ["facecodec: interrupted"]
    assert list(tmp_path.iterdir()) == []


def test_a_hangup_that_is_ignored_stays_ignored(tmp_path):
    script = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + WORK
    process = start(script, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert process.poll() is None
    process.terminate()
    assert process.wait(20) == 128 + signal.SIGTERM


@pytest.mark.parametrize("script", [PIPE, STREAM], ids=["frames", "bytes"])
def test_ctrl_c_while_the_reader_stands_still(script, tmp_path):
    process = start(script, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert process.stderr.readline() == b"ready\n"
    time.sleep(0.5)  # the pipe and the queue are full
    assert process.poll() is None
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert time.monotonic() - begin < 3
    assert process.stderr.read().decode().strip().splitlines() == ["facecodec: interrupted"]


@pytest.mark.parametrize("script", [PIPE, STREAM], ids=["frames", "bytes"])
def test_a_reader_that_goes_away_ends_the_work_quietly(script, tmp_path):
    process = start(script, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(20) == 1
    assert process.stderr.read() == b"ready\n"


def test_every_byte_arrives(tmp_path):
    process = start(STREAM, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    out, _ = process.communicate(timeout=60)
    assert len(out) == 20_000_000 and process.returncode == 0
