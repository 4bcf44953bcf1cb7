"""The page of a report: player, rate split, person, controls, quality, what each control does."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from facecodec.bitstream.container.describe import flag_words, flagged_frames
from facecodec.metrics.evaluation import Evaluation
from facecodec.metrics.measures import MEASURES, written
from facecodec.study.page import build, data_url
from facecodec.study.report import AMOUNT, DIFFERENCE_GAIN, TURN, Report, amount_of

# what the bytes are for -> (its words, its colour)
BYTE_PARTS = {
    "identity_bytes": ("identity", "#4fd1c5"),
    "tuning_bytes": ("tuning", "#9ae6b4"),
    "controls_bytes": ("controls", "#f6ad55"),
    "placement_bytes": ("placement", "#fc8181"),
    "audio_bytes": ("audio", "#63b3ed"),
    "container_bytes": ("container", "#8794a6"),
}
PLOTTED_MEASURES = ("psnr_face", "ssim_face", "lip_error")


def report_page(report: Report) -> str:
    """Return the page as HTML."""
    body = f"""<main>
<p class="eyebrow">facecodec report</p>
<h1>{html.escape(report.name)}</h1>
<p class="lead">{_lead(report)}</p>
{_tiles(report)}
{_damage(report)}
{_player(report)}
{_flagged(report)}
<section class="halves"><div><h2>Where the bytes go</h2><p>All of the file, by purpose.</p>
<div class="panel">{_split(report)}</div></div>
<div><h2>Who it is</h2><p>The identity latent at controls 0.</p>
<div class="panel who"><img alt="the identity" src="{data_url(report.identity, "image/jpeg")}">
<dl>{_facts(report)}</dl></div></div></section>
<section id="controls"><h2>The {len(report.names)} controls over time</h2>
<p>In standard deviations over the generator's faces; teal is negative, amber positive. Click to go
to a frame, or on a name to see that control alone.</p>
<div class="panel"><div class="chips" id="chips"></div>
<div class="track"><div class="rows" id="rows"></div>
<div class="heat"><canvas id="heat"></canvas><div class="cursor" id="playhead"></div>
<div class="tip" id="heat-tip"></div></div></div>
<div class="detail"><div id="detail-chart"></div><div class="effect" id="effect"></div></div></div>
</section>
{_quality(report.evaluation)}
<h2>What each control does</h2><p>This person with one control moved down and up: the pose by
{TURN:g}, the others by {AMOUNT:g} standard deviations.</p>
<div class="cards" id="cards"></div>
<footer>Rendered pictures are synthetic: they are what the decoder makes of an identity latent and
{len(report.names)} numbers a frame. Made by {html.escape(report.facts["made by"] or "facecodec")}.
</footer></main>"""
    return build(
        f"{report.name}: report", body, _data(report), ["report.js"], styles=["report.css"]
    )


def _lead(report: Report) -> str:
    against = f", compared with {html.escape(report.reference)}" if report.reference else ""
    return (
        f"One person and {len(report.names)} numbers a frame: {len(report.times)} frames, "
        f"{report.seconds:.2f} s{against}."
    )


def _kbps(size: int, seconds: float, digits: int = 2) -> str:
    """Return bytes as a rate; a single frame without a frame rate lasts no time and has none."""
    return f"{size * 8e-3 / seconds:.{digits}f}" if seconds > 0 else "–"


def _tiles(report: Report) -> str:
    total = sum(report.split[name] for name in BYTE_PARTS)
    moving = report.split["controls_bytes"]
    frames = max(report.split["frames"], 1)
    seconds = report.seconds * frames / len(report.times)
    tiles = [
        (f"{total / 1000:.1f}", "kB", "whole file"),
        (_kbps(total, seconds, 1), "kbps", "everything"),
        (_kbps(moving, seconds), "kbps", "motion alone"),
        (f"{moving / frames:.1f}", "bytes", "a frame, motion"),
    ]
    values = report.evaluation.values if report.evaluation else {}
    for name, words in (("psnr_face", "PSNR, inner face"), ("identity", "identity distance")):
        if values.get(name) is not None:
            number, _, unit = written(name, values[name]).partition(" ")
            tiles.append((number, unit, words))
    cells = (
        f'<div class="tile"><b>{number} <small>{unit}</small></b><span>{words}</span></div>'
        for number, unit, words in tiles
    )
    return f'<div class="tiles">{"".join(cells)}</div>'


def _damage(report: Report) -> str:
    if not report.damage:
        return ""
    rows = "".join(f"<li>{html.escape(line)}</li>" for line in report.damage)
    return f'<p class="lead" style="color:var(--bad)">This stream is damaged:</p><ul>{rows}</ul>'


def _flagged(report: Report) -> str:
    runs = flagged_frames(report.times, map(flag_words, report.flags))
    rows = [f"<li>{run}</li>" for run in runs]
    if not rows:
        return ""
    return f"<h2>Flagged frames</h2><p>As the encoder saw them.</p><ul>{''.join(rows)}</ul>"


def _player(report: Report) -> str:
    if report.reference:
        captions = (
            '<div class="captions three"><span>reference, aligned</span><span>decoded</span>'
            f"<span>difference, {DIFFERENCE_GAIN}×</span></div>"
        )
        wrap = "<div>"
    else:
        captions, wrap = '<div class="captions"><span>decoded</span></div>', '<div class="single">'
    return f"""<h2>Side by side</h2><p>Space plays, the arrow keys go frame by frame.</p>
<div class="panel player">{captions}{wrap}<video id="video" playsinline loop preload="auto"
src="{data_url(report.video, "video/mp4")}"></video></div>
<div class="transport"><button id="play">Play</button><button id="rate">1×</button>
<input id="seek" type="range" min="0" value="0" aria-label="frame">
<span class="mono" id="clock"></span></div></div>"""


def _split(report: Report) -> str:
    sizes = {name: report.split[name] for name in BYTE_PARTS}
    total = max(sum(sizes.values()), 1)
    seconds = report.seconds * max(report.split["frames"], 1) / len(report.times)
    bar, rows = [], []
    for name, size in sizes.items():
        words, color = BYTE_PARTS[name]
        share = 100 * size / total
        if size:
            bar.append(
                f'<div style="flex:{size};background:{color}" '
                f'title="{words}: {size} bytes, {share:.1f} %"></div>'
            )
        rows.append(
            f'<tr><td><i class="swatch" style="background:{color}"></i>{words}</td>'
            f'<td class="n">{size:,}</td><td class="n">{_kbps(size, seconds)}</td>'
            f'<td class="n">{share:.1f} %</td></tr>'
        )
    return (
        f'<div class="split" id="split">{"".join(bar)}</div><table><thead><tr><th>part</th>'
        '<th class="n">bytes</th><th class="n">kbps</th><th class="n">share</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _facts(report: Report) -> str:
    return "".join(
        f"<dt>{html.escape(key.replace('_', ' '))}</dt><dd>{html.escape(value)}</dd>"
        for key, value in report.facts.items()
    )


def _quality(evaluation: Evaluation | None) -> str:
    if evaluation is None:
        return (
            '<h2>Quality</h2><p>Give the video it was made of (<code>--ref</code>) to see it '
            'here.</p><div id="quality"></div><div id="worst"></div>'
        )  # fmt: skip
    rows = []
    for name, value in evaluation.values.items():
        title = html.escape(MEASURES[name].title)
        shown = f'<td class="n">{written(name, value)}</td><td>{MEASURES[name].better}</td>'
        if value is None:
            why = html.escape(evaluation.missing.get(name, ""))
            shown = f'<td class="n">n/a</td><td class="na">{why}</td>'
        rows.append(f"<tr><td>{title}</td>{shown}</tr>")
    return f"""<h2>Quality over time</h2><p>Aligned squares at 256×256. Circles mark the worst
frames, shown below: reference, decoded, difference.</p>
<div class="panel" id="quality"></div><div class="worst" id="worst"></div>
<h2>All measures</h2><p>Over the {evaluation.frames} frames of this page.</p>
<div class="panel"><table class="measures"><thead><tr><th>measure</th><th class="n">value</th>
<th>better</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>"""


def _data(report: Report) -> dict[str, Any]:
    series = report.evaluation.per_frame if report.evaluation else {}
    return {
        "times": report.times,
        "seconds": report.seconds,
        "names": report.names,
        "regions": report.regions,
        "controls": np.round(report.controls.astype(float), 3).tolist(),
        "spread": np.round(report.controls.astype(float).std(0), 3).tolist(),
        "flags": report.flags,
        "series": {
            name: [round(float(v), 4) if np.isfinite(v) else None for v in series[name]]
            for name in PLOTTED_MEASURES
            if name in series
        },
        "identity": data_url(report.identity, "image/jpeg"),
        "amounts": [amount_of(region) for region in report.regions],
        "effects": [[data_url(jpeg, "image/jpeg") for jpeg in pair] for pair in report.effects],
        "worst": [
            {"frame": frame, "picture": data_url(jpeg, "image/jpeg")}
            for frame, jpeg in report.worst
        ],
    }
