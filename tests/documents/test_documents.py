"""What documents name exists, and they name what they should: files, links, variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("samples/*.md")])
FOLDERS = "facecodec|cuda_ops|tests|benchmarks|training|docs|samples"
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
