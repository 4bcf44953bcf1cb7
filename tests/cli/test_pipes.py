"""Streams and videos from pipes, in the commands that read an input more than once."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from facecodec.cli.main import main
from facecodec.cli.piped import rereadable
from facecodec.errors import StreamError, UsageError
from tests.helpers import toy_streams

STREAM = toy_streams.write(20)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """A named pipe through which the stream comes once."""
    path = tmp_path / "talk"
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=(STREAM,), daemon=True).start()
    return path


def standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes | None) -> None:
    given = None if data is None else SimpleNamespace(buffer=io.BytesIO(data))
    monkeypatch.setattr("sys.stdin", given)


def test_a_copy_can_be_read_again_and_is_removed(monkeypatch, fifo, tmp_path):
    standard_input(monkeypatch, b"a video, for all we know")
    file = tmp_path / "as it is.mp4"
    with rereadable("-", fifo, None, file) as (video, stream, nothing, same):
        assert video is not None and stream is not None
        assert video.read_bytes() == b"a video, for all we know" and video.suffix == ""
        assert [stream.read_bytes() for _ in range(2)] == [STREAM] * 2
        assert stream.suffix == ".fcv"
        assert nothing is None and same == file
    assert not video.exists() and not stream.exists()


def test_a_person_is_known_by_what_comes(monkeypatch):
    person = (Path(__file__).parents[1] / "vectors" / "streams" / "person.fci").read_bytes()
    standard_input(monkeypatch, person)
    with rereadable("-") as (copy,):
        assert copy is not None and copy.suffix == ".fci"


def test_errors_name_the_pipe(monkeypatch, fifo):
    standard_input(monkeypatch, STREAM[:9])
    for given, name in (("-", "standard input"), (fifo, str(fifo))):
        with (
            pytest.raises(StreamError) as raised,
            rereadable(given) as (copy,),
        ):
            raise StreamError(f"{copy}: is damaged")
        assert str(raised.value) == f"{name}: is damaged"


def test_misuse(monkeypatch):
    with pytest.raises(UsageError, match="only one"), rereadable("-", "-"):
        pass
    standard_input(monkeypatch, None)
    with pytest.raises(UsageError, match="closed"), rereadable("-"):
        pass


class Reached(Exception):
    """The work was reached."""


COMMANDS = {
    "facecodec.study.evaluate.evaluate_files": ("eval", "talk.mp4", "-"),
    "facecodec.study.evaluate.evaluate_puppet_files": ("eval", "--puppet", "-", "a.mp4", "b.mp4"),
    "facecodec.study.report.gather": ("report", "-", "-o", "out.html"),
    "facecodec.study.view.Studio": ("view", "-"),
    "facecodec.editing.context.add_context": ("context", "-", "a.mp4", "o.fcv", "8k"),
    "facecodec.web.export.export": ("web", "export", "o.web", "-"),
    "facecodec.puppetry.puppet.puppet": ("puppet", "--source", "-", "--driver", "b.fcv", "o.mp4"),
}


@pytest.mark.parametrize("work", COMMANDS)
def test_commands_read_a_stream_from_standard_input(monkeypatch, work):
    seen: list[bytes] = []

    def reached(*paths, **_):
        given = paths[-1] if isinstance(paths[-1], tuple) else paths
        copies = [path for path in given if isinstance(path, Path) and path.exists()]
        seen.extend(path.read_bytes() for path in copies if path.suffix == ".fcv")
        raise Reached

    monkeypatch.setattr(work, reached)
    result = CliRunner().invoke(main, list(COMMANDS[work]), input=STREAM)
    assert isinstance(result.exception, Reached), result.output
    assert seen == [STREAM]
