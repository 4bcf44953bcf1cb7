"""A headless browser, for tests of pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def chromium() -> Iterator[Callable[[Sequence[str]], Any]]:
    """Give what launches a headless chromium with arguments; skip the test where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install it")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        yield lambda args: started.chromium.launch(executable_path=path, args=list(args))
