"""Write the API reference from docstrings: `make api`.

    python docs/make_api.py [FOLDER]

The public names of `facecodec` come first; every other module has a page too. A public name that
cannot be imported is an error.
"""

from __future__ import annotations

import pkgutil
import sys
import warnings
from pathlib import Path

import pdoc

import cuda_ops
import facecodec

PACKAGES = (facecodec, cuda_ops)
LEFT_OUT = {"facecodec.__main__"}


def modules() -> list[str]:
    """Return the names of all modules, packages before what they hold."""
    names = []
    for package in PACKAGES:
        modules = pkgutil.walk_packages(package.__path__, package.__name__ + ".")
        names += [package.__name__, *(module.name for module in modules)]
    return [name for name in names if name not in LEFT_OUT]


def main(folder: Path) -> None:
    """Write the pages into a folder."""
    warnings.simplefilter("ignore", UserWarning)  # of names that only type checkers import
    warnings.filterwarnings("error", ".*does not resolve")
    for name in facecodec.__all__:  # these are imported on first use, and pdoc asks for none
        setattr(facecodec, name, getattr(facecodec, name))
    pdoc.render.configure(docformat="markdown", show_source=True)
    pdoc.pdoc(*modules(), output_directory=folder)
    print(folder / "index.html")


if __name__ == "__main__":
    build = Path(__file__).resolve().parent.parent / "build" / "api"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else build)
