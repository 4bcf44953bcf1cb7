"""The page of a comparison: rate-quality curves of every measure, and the table under them."""

from __future__ import annotations

import html
from typing import Any

from facecodec.metrics.measures import MEASURES, written
from facecodec.study.compare import COMPARED_MEASURES, Comparison, Point
from facecodec.study.page import build

TABLE_MEASURES = (
    "psnr_face", "ssim_face", "identity", "rho_au", "rho_gaze", "rho_pose", "lip_error",
)  # fmt: skip


def compare_page(result: Comparison) -> str:
    """Return the page as HTML."""
    shown = [n for n in COMPARED_MEASURES if any(p.values[n] is not None for p in result.points)]
    absent = [MEASURES[n].title.split(":")[0] for n in COMPARED_MEASURES if n not in shown]
    measures = [
        {"name": n, "title": MEASURES[n].title, "better": MEASURES[n].better} for n in shown
    ]
    width, height = result.size
    lengths = list(result.points[0].at)
    without = f"<p class='na'>Not measured here: {html.escape(', '.join(absent))}.</p>"
    body = f"""<main>
<p class="eyebrow">facecodec compare</p>
<h1>{html.escape(result.source)}</h1>
<p class="lead">{result.frames} frames, {result.seconds:.1f} s, {width}×{height}. Every codec is
seen in the same aligned face squares at 256×256. All bytes are counted, audio is not. Dashed:
encoded smaller and scaled up again. Conventional codecs are counted without a container.</p>
<div class="legend" id="legend"></div>
<div class="pairs" id="charts"></div>
{without if absent else ""}
<h2>All points</h2>
<p>Rates for {" and ".join(lengths)} s are arithmetic: what is paid once (the identity, or a first
frame) is spread over that many seconds of the same motion.</p>
<div class="panel" style="overflow-x:auto"><table><thead><tr>{_head(lengths)}</tr></thead>
<tbody>{"".join(_row(point, lengths) for point in result.points)}</tbody></table></div>
<h2>Bytes for equal quality</h2>
<ul class="lead">{"".join(f"<li>{html.escape(note)}</li>" for note in result.notes)}</ul>
</main>"""
    data = result.as_json() | {"measures": measures, "missing": "n/a"}
    return build(f"{result.source}: comparison", body, _finite(data), ["compare.js"])


def _head(lengths: list[str]) -> str:
    titles = ["codec", "scale", "bytes", "kbps", *(f"kbps, {length} s" for length in lengths)]
    titles += [MEASURES[name].title.split(":")[0].split(", of")[0] for name in TABLE_MEASURES]
    return "".join(f"<th class='{'n' if i else ''}'>{html.escape(t)}</th>"
                   for i, t in enumerate(titles))  # fmt: skip


def _row(point: Point, lengths: list[str]) -> str:
    cells = [f"{point.scale:g}", f"{point.bytes}", f"{point.kbps:.1f}"]
    cells += [f"{point.at[length]:.1f}" for length in lengths]
    cells += [written(name, point.values[name]) for name in TABLE_MEASURES]
    rest = "".join(f"<td class='n'>{html.escape(cell)}</td>" for cell in cells)
    return f"<tr><td>{html.escape(point.codec)}</td>{rest}</tr>"


def _finite(data: Any) -> Any:
    """Return data with infinite and missing numbers as None, as JSON wants them."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    if isinstance(data, float) and abs(data) == float("inf"):
        return None
    return data
