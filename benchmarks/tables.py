"""Put the tables of benchmark results into a document, between its markers.

    python benchmarks/tables.py README.md                 rewrite the tables
    python benchmarks/tables.py README.md --check         fail when one is out of date

A marker is `<!-- table: NAME -->`, and the table ends at `<!-- end -->`. NAME is a file
`benchmarks/results/NAME.json` whose `table` has `columns` and `rows`, with the `machine` it was
measured on and the `command` that makes it; both are written under the table, and where its
streams were `made_on`, if that is another machine. `NAME means` is its table `means`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
MARKED = re.compile(
    r"(?P<begin><!-- table: (?P<name>[a-z0-9_-]+)(?: (?P<which>[a-z]+))? -->\n)"
    r".*?(?P<end><!-- end -->)",
    re.DOTALL,
)


def markdown(facts: dict[str, Any], which: str = "table") -> str:
    """Return one of a result's tables, its machine and its command."""
    columns, rows = facts[which]["columns"], facts[which]["rows"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    lines += [f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in rows]
    machine = facts["machine"]
    where = machine.get("gpu") or f"{machine['processor']}, {machine['threads']} threads"
    if made_on := facts.get("made_on"):
        where = f"streams made on {made_on}, measured on {where}"
    return "\n".join([*lines, "", f"`{facts['command']}` ({where})", ""])


def filled(document: str, results: Path = RESULTS) -> str:
    """Return the document with every marked table rewritten; absent results stay as they are."""

    def table(match: re.Match[str]) -> str:
        path = results / f"{match['name']}.json"
        if not path.is_file():
            return match[0]
        facts = json.loads(path.read_text(encoding="utf-8"))
        return match["begin"] + markdown(facts, match["which"] or "table") + match["end"]

    return MARKED.sub(table, document)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("documents", nargs="+", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    given = parser.parse_args()
    stale = []
    for path in given.documents:
        before = path.read_text(encoding="utf-8")
        after = filled(before)
        if after != before:
            stale.append(str(path))
            if not given.check:
                path.write_text(after, encoding="utf-8")
    if given.check and stale:
        sys.exit(f"tables out of date: {', '.join(stale)}; run python benchmarks/tables.py")


if __name__ == "__main__":
    main()
