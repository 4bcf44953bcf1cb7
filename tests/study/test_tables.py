"""Tables of a document come from the benchmark results, and only those."""

import json
from pathlib import Path

import tables

ROOT = Path(__file__).resolve().parents[2]

DOCUMENT = """before
<!-- table: one -->
old
<!-- end -->
after
<!-- table: two -->
kept
<!-- end -->
"""


def test_marked_tables_are_rewritten(tmp_path):
    facts = {
        "machine": {"processor": "a processor", "threads": 2, "gpu": None},
        "command": "python benchmarks/one.py",
        "table": {"columns": ["a", "b"], "rows": [["x|y", 3], ["z", 4.5]]},
    }
    (tmp_path / "one.json").write_text(json.dumps(facts))
    made = tables.filled(DOCUMENT, tmp_path)
    assert "| a | b |\n|---|---|\n| x/y | 3 |\n| z | 4.5 |\n" in made
    assert "`python benchmarks/one.py` (a processor, 2 threads)" in made
    assert "old" not in made and "kept" in made
    assert made.startswith("before\n<!-- table: one -->\n") and "<!-- end -->\nafter\n" in made
    assert tables.filled(made, tmp_path) == made


def test_a_marker_may_name_another_of_a_results_tables(tmp_path):
    facts = {
        "machine": {"processor": "a processor", "threads": 2, "gpu": None},
        "command": "python benchmarks/one.py",
        "made_on": "a GPU",
        "table": {"columns": ["a"], "rows": [[1], [2]]},
        "means": {"columns": ["mean"], "rows": [[1.5]]},
    }
    (tmp_path / "one.json").write_text(json.dumps(facts))
    made = tables.filled(DOCUMENT.replace("one -->", "one means -->"), tmp_path)
    assert "| mean |\n|---|\n| 1.5 |\n" in made and "| 2 |" not in made
    assert "(streams made on a GPU, measured on a processor, 2 threads)" in made


def test_documents_show_what_was_measured():
    for document in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = document.read_text(encoding="utf-8")
        assert tables.filled(text) == text, f"run python benchmarks/tables.py {document}"
