"""Streams edited without encoding: tables out and in, edits in order, what stays, what is told."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

import facecodec
from facecodec import edits
from facecodec.bitstream import StreamWriter, open_stream
from facecodec.cli.main import main
from facecodec.decoding.notes import EDITED_COMMENT, MOST_EDITS
from facecodec.rig.choice import controls_of
from facecodec.rig.rig import shipped_rigs
from tests.helpers import live_streams
from tests.helpers import toy_streams as streams
from tests.helpers.streams import make_stream

RIG = next(shipped_rigs())
FRAMES = 35
PUPPET = {"provenance": "synthetic: one person's face moved by another person's video"}


def head(**changes):
    return streams.header(rig_sha256=bytes.fromhex(RIG.sha256), **changes)


@pytest.fixture
def talk(tmp_path):
    path = tmp_path / "talk.fcv"
    audio, flags = streams.packets(2 * FRAMES), [i % 4 for i in range(FRAMES)]
    path.write_bytes(streams.write(FRAMES, head=head(), audio=audio, flags=flags))
    return path


def frames_of(path):
    return list(open_stream(path))


def controls_in(path):
    return np.stack([frame.controls for frame in frames_of(path)])


@pytest.mark.parametrize("kind", [".csv", ".json", ".npz"])
@pytest.mark.parametrize("precision", ["f32", "f16", "quantised"])
def test_a_table_gives_the_same_bits_back(kind, precision, tmp_path):
    rng = np.random.default_rng(7)
    controls = streams.motion(FRAMES)
    if precision == "f32":
        bits = rng.integers(0, 1 << 32, controls.shape, dtype=np.uint32)
        drawn = bits.view(np.float32)
        controls = np.where(np.isfinite(drawn), drawn, np.float32(-0.0))
        controls[0, :4] = -0.0, 1e-45, 3.4028235e38, 0.1
    source, table, back = (tmp_path / n for n in ("a.fcv", f"a{kind}", "b.fcv"))
    audio = streams.packets(8)
    source.write_bytes(
        streams.write(FRAMES, head=head(precision=precision), controls=controls, audio=audio)
    )
    done = facecodec.export(source, table)
    assert (done.frames, done.controls, done.damage) == (FRAMES, 35, [])
    facecodec.edit(source, back, [edits.Set("all", 0.5), edits.Replace(table)])
    for before, after in zip(frames_of(source), frames_of(back), strict=True):
        assert before.controls.tobytes() == after.controls.tobytes()
        assert (before.pts, before.flags) == (after.pts, after.flags)
        assert before.placement.tobytes() == after.placement.tobytes()


def test_all_but_the_motion_stays(talk, tmp_path):
    facecodec.edit(talk, tmp_path / "new.fcv", [edits.Gain("mouth", 2)])
    old, new = open_stream(talk), open_stream(tmp_path / "new.fcv")
    assert list(old.audio_packets()) == list(new.audio_packets())
    assert old.identity_payload == new.identity_payload and old.audio == new.audio
    assert new.header.creator == old.header.creator
    mouth = controls_of(RIG, "mouth")
    step = old.header.control_steps
    for before, after in zip(old, new, strict=True):
        assert (before.pts, before.flags) == (after.pts, after.flags)
        np.testing.assert_array_equal(before.placement, after.placement)
        wanted = before.controls.copy()
        wanted[mouth] *= 2
        assert (np.abs(after.controls - wanted) <= step / 2).all()


def test_edits_compose_in_their_order(talk, tmp_path):
    first = [edits.Set("yaw", 1), edits.Gain("pose", 3)]
    for name, order in (("a", first), ("b", first[::-1])):
        facecodec.edit(talk, tmp_path / f"{name}.fcv", order)
    step = open_stream(talk).header.control_steps[0]
    assert np.allclose(controls_in(tmp_path / "a.fcv")[:, 0], 3, atol=step)
    assert np.allclose(controls_in(tmp_path / "b.fcv")[:, 0], 1, atol=step)
    facecodec.edit(talk, tmp_path / "one.fcv", first[:1])
    facecodec.edit(tmp_path / "one.fcv", tmp_path / "two.fcv", first[1:])
    twice, once = open_stream(tmp_path / "two.fcv"), open_stream(tmp_path / "a.fcv")
    assert twice.header.metadata == once.header.metadata
    assert once.header.metadata["edit 01"] == "set yaw to 1"
    assert once.header.metadata["edit 02"] == "gain pose by 3"


def test_the_command_does_what_is_given_in_that_order(talk, tmp_path):
    out = tmp_path / "out.fcv"
    words = ["--gain", "yaw=2", "--set", "YAW=1", "--neutral", "--gain", "yaw=3", "--smooth=0.2"]
    done = CliRunner().invoke(main, ["edit", str(talk), str(out), *words, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["edits"] == [
        "gain yaw by 2", "set YAW to 1", "neutral face", "gain yaw by 3", "smooth all over 0.2 s",
    ]  # fmt: skip
    controls = controls_in(out)
    assert np.allclose(controls[:, 0], 3, atol=0.02) and not controls[:, 3:].any()


def test_what_a_stream_says_of_its_past_stays_and_grows(tmp_path):
    plain, puppet, many = (tmp_path / f"{name}.fcv" for name in ("plain", "puppet", "many"))
    plain.write_bytes(streams.write(3, head=head()))
    puppet.write_bytes(streams.write(3, head=head(metadata=PUPPET)))
    for source, says in ((plain, EDITED_COMMENT), (puppet, PUPPET["provenance"])):
        facecodec.edit(source, tmp_path / "new.fcv", [edits.Neutral()], force=True)
        assert open_stream(tmp_path / "new.fcv").header.metadata == {
            "provenance": says, "edit 01": "neutral face",
        }  # fmt: skip
    facecodec.edit(puppet, many, [edits.Set("yaw", i) for i in range(MOST_EDITS + 5)])
    told = open_stream(many).header.metadata
    assert len(told) == MOST_EDITS + 1 and told["provenance"] == PUPPET["provenance"]
    assert told["edit 01"] == "6 edits or more came before"
    assert told[f"edit {MOST_EDITS}"] == f"set yaw to {MOST_EDITS + 4}"


def test_a_person_in_another_file_is_still_referred_to(tmp_path):
    path, out = tmp_path / "a.fcv", tmp_path / "b.fcv"
    with path.open("wb") as file, StreamWriter(file, head()) as writer:
        writer.write_identity_reference(bytes(range(32)))
        for i, row in enumerate(streams.motion(5)):
            writer.write_frame(512 * i, row)
    facecodec.edit(path, out, [edits.Gain("all", 0)])
    assert open_stream(out).identity_reference == bytes(range(32))
    assert not controls_in(out).any()


def test_pipes_in_and_out_and_torch_is_never_loaded(talk, tmp_path):
    script = (
        "import sys; from facecodec.cli.main import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "assert not {'torch', 'dlib', 'cuda_ops'} & set(sys.modules)\n"
    )

    def piped(*words, data):
        return subprocess.run(
            [sys.executable, "-c", script, *words], input=data, capture_output=True, check=True
        ).stdout

    made = piped("edit", "-", "-", "--gain", "mouth=0.5", data=talk.read_bytes())
    facecodec.edit(talk, tmp_path / "file.fcv", [edits.Gain("mouth", 0.5)])
    assert made == (tmp_path / "file.fcv").read_bytes()
    table = piped("export", "-", "-", data=made)
    facecodec.export(tmp_path / "file.fcv", tmp_path / "file.csv")
    assert table == (tmp_path / "file.csv").read_bytes()
    head_line, *rows = table.decode().splitlines()
    assert head_line.startswith("frame,time,pts,flags,") and len(rows) == FRAMES


def test_a_damaged_stream_is_edited_and_says_so(talk, tmp_path):
    data = bytearray(talk.read_bytes())
    entry = open_stream(talk).index().entries[1]
    data[entry.offset + 40] ^= 1
    talk.write_bytes(data)
    done = facecodec.edit(talk, tmp_path / "new.fcv", [edits.Smooth()])
    assert done.frames == FRAMES and done.damage


def test_info_lists_what_the_controls_do(talk, capsys):
    done = CliRunner().invoke(main, ["info", str(talk), "--controls", "--json"])
    rows = json.loads(done.stdout)["controls"]
    assert [row["title"] for row in rows] == list(RIG.shown_titles)
    controls = controls_in(talk)
    assert [row["highest"] for row in rows] == pytest.approx(controls.max(0).tolist())
    assert [row["deviation"] for row in rows] == pytest.approx(controls.std(0).tolist(), rel=1e-4)
    text = CliRunner().invoke(main, ["info", str(talk), "--controls"]).stdout
    assert all(title in text for title in RIG.shown_titles)


def test_smoothing_keeps_lines_and_takes_noise(tmp_path):
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 1, (200, 35))
    line = np.linspace(0, 8, 200)[:, None] + np.zeros(35)
    for name, controls in (("noise", noise), ("line", line)):
        (tmp_path / f"{name}.fcv").write_bytes(
            streams.write(200, head=head(precision="f32"), controls=controls.astype(np.float32))
        )
    facecodec.edit(tmp_path / "noise.fcv", tmp_path / "calm.fcv", [edits.Smooth(0.1, "pose")])
    calm = controls_in(tmp_path / "calm.fcv")
    # of white noise a Gaussian of s frames leaves 1 / (2 s sqrt(pi)) of the variance: s = 2.5
    assert calm[:, :3].std() == pytest.approx((1 / (5 * np.pi**0.5)) ** 0.5, rel=0.1)
    np.testing.assert_array_equal(calm[:, 3:], noise[:, 3:].astype(np.float32))
    facecodec.edit(tmp_path / "line.fcv", tmp_path / "same.fcv", [edits.Stabilise(0.2)])
    np.testing.assert_allclose(controls_in(tmp_path / "same.fcv")[20:-20], line[20:-20], atol=1e-4)


def test_neutral_and_gaze(talk, tmp_path):
    facecodec.edit(talk, tmp_path / "n.fcv", [edits.Neutral()])
    before, after = controls_in(talk), controls_in(tmp_path / "n.fcv")
    np.testing.assert_array_equal(before[:, :3], after[:, :3])
    assert not after[:, 3:].any()
    facecodec.edit(talk, tmp_path / "g.fcv", [edits.LookAtCamera()])
    gaze = controls_of(RIG, "gaze")
    after = controls_in(tmp_path / "g.fcv")
    assert not after[:, gaze].any()
    rest = [i for i in range(35) if i not in gaze]
    np.testing.assert_array_equal(after[:, rest], before[:, rest])


def test_a_table_may_hold_some_frames_and_some_controls(talk, tmp_path):
    (tmp_path / "some.csv").write_text("frame,3.UP/464 , pitch\n3,1.5,-1\n\n7,0.5,2\n")
    (tmp_path / "some.json").write_text(
        '{"frame": [3, 7], "names": ["3.up/464", "pitch"], "controls": [[1.5, -1], [0.5, 2]]}'
    )
    step = open_stream(talk).header.control_steps
    which = [RIG.names.index("3.up/464"), 1]
    for name in ("some.csv", "some.json"):
        out = tmp_path / f"{name}.fcv"
        facecodec.edit(talk, out, [edits.Replace(tmp_path / name)])
        changed = controls_in(talk)
        changed[np.ix_([3, 7], which)] = [[1.5, -1], [0.5, 2]]
        assert (np.abs(controls_in(out) - changed) <= step / 2).all()


def archive(**arrays):
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    return packed.getvalue()


TABLES = {
    "empty.csv": (b"", "needs"),
    "words.csv": (b"yaw\nfar\n", "is no table of controls"),
    "short.csv": (b"yaw\n1\n", "has 1 rows and the stream 35 frames"),
    "ragged.csv": (b"frame,yaw\n1\n", "line 2 has 1 cells, the first 2"),
    "unknown.csv": (b"frame,yow\n1,2\n", "no control or region 'yow'; did you mean yaw"),
    "region.csv": (b"frame,mouth\n1,2\n", "'mouth' is no single control"),
    "twice.csv": (b"frame,yaw,YAW\n1,2,3\n", "names a control twice"),
    "nan.csv": (b"frame,yaw\n1,2\n2,nan\n", "row 2 holds what is no finite number"),
    "huge.csv": (b"frame,yaw\n1,1e99\n", "row 1 holds what is no finite number"),
    "beyond.csv": (b"frame,yaw\n35,1\n", "has frame 35, the stream has frames 0 to 34"),
    "falling.csv": (b"frame,yaw\n5,1\n4,1\n", "must rise"),
    "negative.csv": (b"frame,yaw\n-5,1\n", "must rise from 0"),
    "latin.csv": (b"frame,\xff\n1,2\n", "is no table of controls"),
    "junk.json": (b"{", "is no table of controls"),
    "deep.json": (b"[" * 100_000, "is no table of controls"),
    "list.json": (b"[1, 2]", "is no table of controls"),
    "ragged.json": (b'{"names": ["yaw"], "controls": [[1], [1, 2]]}', "is no table of controls"),
    "names.json": (b'{"names": [1], "controls": [[1]]}', "1.0 is no name of a control"),
    "frames.json": (b'{"names": ["yaw"], "frame": [0.5], "controls": [[1]]}', "whole number"),
    "inf.json": (b'{"names": ["yaw"], "frame": [0], "controls": [[Infinity]]}', "finite"),
    "junk.npz": (b"PK\3\4 but not for long", "is no table of controls"),
    "none.npz": (archive(controls=np.zeros((35, 1))), "is no table of controls"),
    "shape.npz": (archive(names=["yaw"], controls=np.zeros((35, 2))), r"needs \[frames, 1\]"),
    "text.npz": (archive(names=["yaw"], controls=np.array([["x"]] * 35)), "is no table"),
    "pickle.npz": (archive(names=["yaw"], controls=np.array([[{}]] * 35)), "is no table"),
    "table.txt": (b"yaw\n", "ends in .csv, .json, .npz"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_is_none_is_one_line_and_leaves_nothing(name, talk, tmp_path):
    data, words = TABLES[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(facecodec.UsageError, match=words) as error:
        facecodec.edit(talk, tmp_path / "new.fcv", [edits.Replace(tmp_path / name)])
    assert name in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "new.fcv").exists()


def test_an_archive_that_unpacks_to_gigabytes_is_refused(talk, tmp_path, monkeypatch):
    monkeypatch.setattr("facecodec.editing.tables.MAX_BYTES", 1 << 16)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("controls.npy", bytes(1 << 20))
    assert (tmp_path / "bomb.npz").stat().st_size < 1 << 16
    with pytest.raises(facecodec.UsageError, match="unpacks to more"):
        facecodec.edit(talk, tmp_path / "new.fcv", [edits.Replace(tmp_path / "bomb.npz")])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (edits.Set("yow", 1), "no control or region 'yow'; did you mean yaw"),
        (edits.Gain("zzzz", 1), "there are the regions mouth, jaw"),
        (edits.Gain("mouth", float("nan")), "give a finite number"),
        (edits.Set("yaw", 1e9), "too large"),
        (edits.Smooth(0), "seconds of smoothing"),
        (edits.Stabilise(11), "seconds of smoothing"),
        (edits.Replace("none.csv"), "no such file"),
    ],
)
def test_edits_that_cannot_be_done_are_one_line(change, words, talk, tmp_path):
    with pytest.raises(facecodec.UsageError, match=words) as error:
        facecodec.edit(talk, tmp_path / "new.fcv", [change])
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["talk.fcv"]


def test_nothing_is_read_or_written_in_vain(talk, tmp_path):
    with pytest.raises(facecodec.UsageError, match="no edit"):
        facecodec.edit(talk, tmp_path / "new.fcv", [])
    with pytest.raises(facecodec.UsageError, match="is an input"):
        facecodec.edit(talk, talk, [edits.Neutral()], force=True)
    (tmp_path / "a.csv").write_text("yaw\n")
    with pytest.raises(facecodec.UsageError, match="is an input"):
        facecodec.edit(talk, tmp_path / "a.csv", [edits.Replace(tmp_path / "a.csv")], force=True)
    with pytest.raises(facecodec.UsageError, match="exists already"):
        facecodec.export(talk, tmp_path / "a.csv")
    with pytest.raises(facecodec.UsageError, match="ends in"):
        facecodec.export(talk, tmp_path / "a.mp4")
    other = tmp_path / "other.fcv"
    other.write_bytes(streams.write(3))
    for work in (
        lambda: facecodec.edit(other, tmp_path / "x.fcv", [edits.Neutral()]),
        lambda: facecodec.export(other, tmp_path / "x.csv"),
    ):
        with pytest.raises(facecodec.StreamError, match="give the rig file it was made with"):
            work()
    none = tmp_path / "none.fcv"
    with open_stream(talk) as stream:
        none.write_bytes(talk.read_bytes()[: stream.index().entries[0].offset])
    with pytest.raises(facecodec.StreamError, match="no frame"):
        facecodec.export(none, tmp_path / "x.csv")


def test_what_a_program_writes_says_that_it_was_edited(generator, rig, tmp_path):
    stream = facecodec.open(make_stream(tmp_path / "a.fcv", generator, rig))
    stream.write(tmp_path / "b.fcv", stream.controls)
    assert open_stream(tmp_path / "b.fcv").header.metadata["provenance"] == EDITED_COMMENT


@pytest.mark.parametrize("piped", [False, True])
def test_a_stream_sent_live_becomes_a_file(piped, tmp_path, monkeypatch):
    data = live_streams.stream(40, live_streams.header(rig_sha256=bytes.fromhex(RIG.sha256)))
    (tmp_path / "live.fcv").write_bytes(data)

    class Standard:
        buffer = streams.Pipe(data)

    monkeypatch.setattr(sys, "stdin", Standard)
    source = "-" if piped else tmp_path / "live.fcv"
    facecodec.edit(source, tmp_path / "new.fcv", [edits.Set("roll", 0)])
    before, after = controls_in(tmp_path / "live.fcv"), controls_in(tmp_path / "new.fcv")
    assert not after[:, 2].any()
    np.testing.assert_array_equal(np.delete(before, 2, 1), np.delete(after, 2, 1))
    new = open_stream(tmp_path / "new.fcv")
    assert new.header.version == 1 and new.tuning == live_streams.TUNING
