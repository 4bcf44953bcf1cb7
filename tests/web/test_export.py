"""An exported folder: whole, safe, and refused before any work where it cannot be."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from dataclasses import replace

import numpy as np
import pytest

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import StreamWriter, load_identity_file, open_stream
from facecodec.errors import ExistsError, StreamError, UsageError
from facecodec.web.network import pack_network
from facecodec.web.serve import FolderServer
from tests.helpers.commands import run
from tests.helpers.streams import make_stream


@pytest.fixture
def folder(export_tiny, tiny_stream, tmp_path):
    done = export_tiny(tmp_path / "out", [tiny_stream], title='<b>"Tiny"</b>', device="cpu")
    assert done.streams == 1 and done.bytes > done.generator_bytes > 0
    return tmp_path / "out"


def test_the_folder_is_whole(folder, tiny, tiny_stream):
    assert (folder / "streams" / "tiny.fcv").read_bytes() == tiny_stream.read_bytes()
    assert (folder / "streams" / "tiny.jpg").read_bytes()[:2] == b"\xff\xd8"
    facts = json.loads((folder / "generator" / "generator.json").read_text())
    assert (folder / "generator" / "generator.bin").stat().st_size == facts["bytes"]
    assert facts["sha256"] == tiny.generator.sha256
    rig = json.loads((folder / "generator" / "rig.json").read_text())
    assert rig["sha256"] == tiny.rig.sha256 and len(rig["offsets"]) == 24
    assert "Licence: not known" in (folder / "generator" / "LICENCE.txt").read_text()
    assert not list(folder.parent.glob(".facecodec-*"))


def test_the_page_asks_for_nothing_but_the_folder(folder):
    page = (folder / "index.html").read_text()
    assert "&lt;b&gt;&quot;Tiny&quot;&lt;/b&gt;" in page and "<b>&quot;" not in page
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy and "default-src 'none'" in policy[1] and "unsafe-inline" not in policy[1]
    assert not re.search(r"<script(?![^>]*src=)|<style|\son[a-z]+=|\sstyle=", page)
    links = re.findall(r'(?:src|href|poster)="([^"#]+)"', page)
    assert len(links) > 6
    for link in links:
        assert (folder / link).is_file(), link
    for script in [*folder.rglob("*.js"), *folder.rglob("*.css")]:
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", script.read_text()), script
    assert "Licence: not known" in page


def test_imports_stay_in_the_folder(folder):
    for script in folder.rglob("*.js"):
        for name in re.findall(r'(?:from|import) "([^"]+)"', script.read_text()):
            assert (script.parent / name).is_file(), (script, name)


def test_numbers_of_the_network(tiny):
    facts, data = pack_network(tiny.generator)
    tensors = tiny.generator.drawing_tensors()
    assert len(facts["tensors"]) == len(tensors) and not [n for n in tensors if "mapping" in n]
    for name, kind, shape, offset in facts["tensors"]:
        kinds = {"f16": "<f2", "f32": "<f4"}
        got = np.frombuffer(data, kinds[kind], int(np.prod(shape)), offset).reshape(shape)
        wanted = tensors[name].numpy()
        assert np.abs(got - wanted).max() <= (0 if kind == "f32" else 2e-3 * np.abs(wanted).max())


def test_what_is_in_the_way(export_tiny, tiny_stream, tmp_path, folder):
    with pytest.raises(ExistsError):
        export_tiny(folder, [tiny_stream], device="cpu")
    export_tiny(folder, [tiny_stream, tiny_stream], device="cpu", force=True)
    assert {path.name for path in (folder / "streams").glob("*.fcv")} == {"tiny.fcv", "tiny-2.fcv"}
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="holds other files"):
        export_tiny(mine, [tiny_stream], device="cpu", force=True)
    assert (mine / "letter.txt").read_text() == "dear"
    with pytest.raises(UsageError, match="no folder"):
        export_tiny(tiny_stream, [tiny_stream], force=True)
    with pytest.raises(UsageError, match="name a stream"):
        export_tiny(tmp_path / "new", [])


def test_a_failure_leaves_nothing(export_tiny, tiny, tiny_stream, tmp_path):
    broken = tmp_path / "broken.fcv"
    broken.write_bytes(b"no stream")
    with pytest.raises(StreamError):
        export_tiny(tmp_path / "out", [tiny_stream, broken], device="cpu")
    other = make_stream(tmp_path / "other.fcv", tiny.generator, replace(tiny.rig, seed=9), 2)
    with pytest.raises(UsageError, match="another rig"):
        export_tiny(tmp_path / "out", [tiny_stream, other], device="cpu")
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".facecodec-*"))


def test_a_person_apart_goes_with_the_stream(export_tiny, tiny, tiny_stream, tmp_path):
    source = open_stream(tiny_stream)
    Avatar.from_stream(tiny_stream, model=tiny).save(tmp_path / "who.fci")
    person = load_identity_file(tmp_path / "who.fci")
    path = tmp_path / "refers.fcv"
    with path.open("wb") as file, StreamWriter(file, source.header) as writer:
        writer.write_identity_reference(person.sha256)
        for frame in source.frames():
            writer.write_frame(frame.pts, frame.controls, frame.placement, frame.flags)
    export_tiny(tmp_path / "out", [path], device="cpu")
    copy = tmp_path / "out" / "identities" / f"{person.sha256.hex()}.fci"
    assert copy.read_bytes() == (tmp_path / "who.fci").read_bytes()
    (tmp_path / "who.fci").unlink()
    with pytest.raises(StreamError, match=r"\.fci"):
        export_tiny(tmp_path / "out2", [path], device="cpu")


def test_served_to_this_machine_alone(folder):
    with FolderServer(folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            assert server.url.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(server.url) as answer:
                assert answer.headers["Content-Type"].startswith("text/html")
            with urllib.request.urlopen(f"{server.url}player/render/kernels.wasm") as answer:
                assert answer.headers["Content-Type"] == "application/wasm"
            for path, host, code in (
                ("streams/", None, 404),
                ("../secret", None, 404),
                ("index.html", "evil.example", 403),
            ):
                request = urllib.request.Request(server.url + path)
                if host:
                    request.add_header("Host", host)
                with pytest.raises(urllib.error.HTTPError) as error:
                    urllib.request.urlopen(request)
                assert error.value.code == code
        finally:
            server.shutdown()


def test_commands_refuse_at_once(tmp_path):
    with pytest.raises(UsageError, match=r"index\.html"):
        run("web", "serve", tmp_path)
    with pytest.raises(UsageError, match=r"none\.fcv"):
        run("web", "export", tmp_path / "out", tmp_path / "none.fcv")
