"""One HTML file that holds everything: styles, scripts, data and pictures, no network."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

SECURITY_POLICY = (
    "default-src 'none'; img-src data:; media-src data: blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'"
)


def asset(name: str) -> str:
    """Return the text of a file in `assets/`."""
    return files("facecodec.study").joinpath("assets", name).read_text(encoding="utf-8")


def build(
    title: str,
    body: str,
    data: Any,
    scripts: Sequence[str],
    styles: Sequence[str] = (),
    policy: str = SECURITY_POLICY,
) -> str:
    """Return a page: `body` is HTML, `data` is what scripts find as DATA, the rest asset names.

    The policy keeps a browser from fetching anything, whatever text came out of a stream.
    """
    css = "\n".join(asset(name) for name in ("base.css", *styles))
    code = "\n".join(asset(name) for name in ("charts.js", *scripts))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{css}</style></head>\n"
        f"<body>\n{body}\n"
        f'<script id="data" type="application/json">{as_script(data)}</script>\n'
        '<script>const DATA = JSON.parse(document.getElementById("data").textContent);\n'
        f"{code}</script>\n</body></html>\n"
    )


def as_script(data: Any) -> str:
    """Return JSON that cannot end the script element it stands in."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def data_url(content: bytes, kind: str) -> str:
    """Return bytes as a URL that holds them."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
