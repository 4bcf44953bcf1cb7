"""The structure of the code: which package may import which, and how long things may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST_FILE = 300  # lines
MOST_PARAMETERS = 7

# A module imports from lower rows alone; those of one row know nothing of each other.
LAYERS = (
    ("cli",),
    ("batch",),
    ("study", "workshop", "puppetry", "web"),
    ("live", "editing"),
    ("encoding", "decoding"),
    ("context",),
    ("clip", "avatar"),
    ("models",),
    ("fit",),
    ("rig", "metrics"),
    ("weights",),
    ("generator", "video"),
    ("compositing",),
    ("face", "bitstream"),
    ("checkpoint",),
    ("atomic", "picture_limits", "seconds", "pixels", "arguments"),
    ("temporary", "lock"),
    ("errors", "pipe", "process", "progress", "types", "version", "cuda_ops"),
)
RANKS = {package: rank for rank, row in enumerate(LAYERS) for package in row}

# The public verbs and constructors, whose keywords are the API.
VERBS = {
    "encoding/encode.py:encode",
    "encoding/enrol.py:enrol",
    "decoding/decode.py:decode",
    "puppetry/puppet.py:puppet",
    "study/compare.py:compare",
    "clip/clip.py:open",
    "live/send.py:send",
    "live/receive.py:receive",
    "web/export.py:export",
}


@cache
def modules() -> dict[str, Path]:
    """Return the files of both packages by the names of their modules."""
    modules = {}
    for top in ("facecodec", "cuda_ops"):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            modules[".".join(part for part in parts if part != "__init__")] = path
    return modules


def only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def statements(node: ast.AST, lazy: bool) -> Iterator[ast.AST]:
    """Yield what a module executes: with `lazy`, that of its functions too."""
    for child in ast.iter_child_nodes(node):
        if only_for_types(child):
            continue
        yield child
        if lazy or not isinstance(child, ast.FunctionDef):
            yield from statements(child, lazy)


def imported(path: Path, lazy: bool = True) -> Iterator[str]:
    """Yield the names of what a module imports: of modules, or of things in them."""
    for node in statements(ast.parse(path.read_text(encoding="utf-8")), lazy):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def graph() -> dict[str, set[str]]:
    """Return the modules of ours that each module imports."""
    known = modules()
    result: dict[str, set[str]] = {}
    for module, path in known.items():
        # these hand names on, and import what they name on its first use
        lazy = path.name != "__init__.py" and module != "facecodec.cli.main"
        names = imported(path, lazy)
        used = (name if name in known else name.rpartition(".")[0] for name in names)
        result[module] = {name for name in used if name in known} - {module}
    return result


def package(module: str) -> str:
    top, _, rest = module.partition(".")
    return top if top == "cuda_ops" else rest.partition(".")[0]


def test_no_circle_of_modules():
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_imports_point_down():
    up = [
        f"{module} -> {name}"
        for module, names in graph().items()
        for name in names
        if package(module) not in ("", "__main__")
        and package(name) not in ("", package(module))
        and RANKS[package(name)] <= RANKS[package(module)]
    ]
    assert not up


def test_the_format_knows_nothing_of_networks():
    for module, path in modules().items():
        if package(module) in ("bitstream", "errors", "types"):
            assert not [name for name in imported(path) if name.split(".")[0] == "torch"], module


def test_cuda_ops_knows_nothing_of_facecodec():
    for module, names in graph().items():
        if package(module) == "cuda_ops":
            assert not [name for name in names if package(name) != "cuda_ops"], module


def test_errors_of_the_library_name_no_option_of_the_command_line():
    """A caller of the library has none; errors name the `argument`, and the command its option."""
    option = re.compile(r"(^|[\s(])--?[a-z]")
    for module, path in modules().items():
        if package(module) == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            said = ast.walk(node) if isinstance(node, ast.Raise) else ()
            texts = [c.value for c in said if isinstance(c, ast.Constant)]
            assert not [t for t in texts if isinstance(t, str) and option.search(t)], module


def test_no_test_imports_another():
    """What several tests share is in `tests/helpers`, or a fixture."""
    for path in (ROOT / "tests").rglob("*.py"):
        names = [part for name in imported(path) for part in name.split(".")]
        assert not [name for name in names if name == "conftest" or name.startswith("test_")], path


@pytest.mark.parametrize("module", sorted(modules()))
def test_one_idea_a_file(module):
    path = modules()[module]
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST_FILE
    home = path.relative_to(ROOT / module.partition(".")[0])
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef) or "click" in ast.unparse(node.decorator_list):
            continue
        given = node.args
        names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        count = len([name for name in names if name not in ("self", "cls")])
        assert count <= MOST_PARAMETERS or f"{home}:{node.name}" in VERBS, node.name
