"""What documents name exists, and they name what they should: files, links, variables."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from facecodec.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("samples/*.md"),
        *ROOT.glob("examples/*.md"),
    ]
)
FOLDERS = "release|facecodec|cuda_ops|tests|benchmarks|training|docs|samples|examples"
PATH = re.compile(rf"(?<![\w/])(?:{FOLDERS})/[\w./-]*\w(?:\.\w+)?/?")
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)(#[^)]*)?\)")


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as public forges make them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.M)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {"#" + text.replace(" ", "-") for text in plain}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target, anchor in LINK.findall(document.read_text()):
        path = (document.parent / target).resolve()
        assert path.exists(), f"{document.name} links to {target}"
        assert not anchor or anchor in anchors(path), f"{document.name} links to {target}{anchor}"


@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if path.name != "CHANGELOG.md"], ids=lambda p: p.name
)
def test_paths_exist(document):
    """Every `folder/file.py` in backquotes; a changelog may name what is gone."""
    for code in re.findall(r"`([^`\n]+)`", document.read_text()):
        for path in PATH.findall(code):
            assert (ROOT / path).exists(), f"{document.name} names {path}"


def test_every_environment_variable_is_documented():
    named = (ROOT / "docs" / "environment.md").read_text()
    for folder in ("facecodec", "cuda_ops", "tests"):
        for source in (ROOT / folder).rglob("*.py"):
            for name in re.findall(r"\"(FACECODEC_[A-Z_]+)\"", source.read_text()):
                assert f"`{name}`" in named, f"{source} reads {name}"


def commands_in(document: Path) -> list[list[str]]:
    """The commands of facecodec in a document's code, split into words."""
    lines = re.findall(r"^(?:    |.*`)(facecodec [a-z][^`\n]*)", document.read_text(), re.M)
    plain = (re.split(r" #| \||\s&&|, then|;", line)[0] for line in lines)
    return [re.findall(r"\S+", line)[1:] for line in plain]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_and_options_exist(document):
    if document.name == "CHANGELOG.md":
        pytest.skip("a changelog may name what is gone")
    context = click.Context(main)
    for words in commands_in(document):
        command, rest = main, words
        while isinstance(command, click.Group) and rest and rest[0].islower():
            subcommand = command.get_command(context, rest[0])
            assert subcommand is not None, f"{document.name}: no command {' '.join(words)}"
            command, rest = subcommand, rest[1:]
        options = {name for given in command.params for name in given.opts + given.secondary_opts}
        for word in rest:
            if re.fullmatch(r"--?[a-z][a-z0-9-]*", word):
                assert word in {*options, "--help", "-h"}, f"{document.name}: {' '.join(words)}"
