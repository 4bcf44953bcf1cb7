"""What `facecodec live` says while it works and at the end, and how it is ended."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from facecodec.cli import console, progress

if TYPE_CHECKING:
    from facecodec.live.receiver import ReceiveStatus, ReceiveSummary
    from facecodec.live.sender import SendStatus, SendSummary

STATUS_SECONDS = 0.5  # between two looks of the status line
STATUS_COLUMNS = 78
KNOWN = "known"  # the stage of a person who was given, see `Speaker`


def sent(status: SendStatus) -> str:
    """Return how a sender does, as a short line."""
    coding = "" if status.coding is None else f"  to bytes {status.coding:.0f} ms"
    face = "" if status.face else "  no face"
    stage = "" if status.stage == KNOWN else f"  {status.stage}"
    return (
        f"{progress.clock(status.seconds)}  {status.fps:.1f} fps  {status.kbps:.1f} kbps  "
        f"{status.dropped} dropped{coding}{face}{stage}"
    )


def received(status: ReceiveStatus) -> str:
    """Return how a receiver does, as a short line."""
    drawing = "" if status.drawing is None else f"  to picture {status.drawing:.0f} ms"
    if status.sharpness is not None:
        drawing += f" at {status.sharpness}"
    return (
        f"{progress.clock(status.seconds)}  {status.fps:.1f} fps  {status.kbps:.1f} kbps  "
        f"{100 * status.lost:.1f} % lost  {status.dropped} dropped{drawing}  {status.stage}"
    )


def send_report(to: str, done: SendSummary, stats: bool) -> Iterator[str]:
    """Yield what is to be said of a call that was sent."""
    yield (
        f"{to}: {done.frames} frames in {done.seconds:.1f} s, {done.kbps:.1f} kbps, "
        f"{done.dropped} dropped because one before took too long"
    )
    if done.hurried or done.predicted or done.held:
        yield (
            f"  {done.hurried} frames tracked in one step, {done.predicted} without a look at "
            f"what it leads to, and {done.held} sent like the one before, because tracking took "
            "too long"
        )
    if KNOWN not in done.stages:
        times = ", ".join(f"{stage} after {when:.0f} s" for stage, when in done.stages.items())
        yield f"  the person, from the first picture: {times}"
    if done.no_face:
        yield f"  {done.no_face} frames without the person's face (the last controls are held)"
    if stats and done.capture_to_bytes is not None:
        yield f"  capture to bytes: {done.capture_to_bytes}"


def receive_report(out: str, done: ReceiveSummary, stats: bool) -> Iterator[str]:
    """Yield what is to be said of a call that was received."""
    yield (
        f"{out}: {done.pictures} pictures in {done.seconds:.1f} s, {done.kbps:.1f} kbps, "
        f"ended by {done.ended}"
    )
    lost = f"{done.recovered} pictures stand in for lost frames, {done.missing} frames are missing"
    yield f"  {lost}, {done.dropped} dropped because drawing took too long"
    if done.sketched:
        least = f", {done.quick} of them much less" if done.quick else ""
        yield f"  {done.sketched} pictures are less sharp because whole ones took too long{least}"
    if done.unusable:
        yield f"  {done.unusable} of {done.datagrams} datagrams were of no use"
    if stats and done.bytes_to_picture is not None:
        yield f"  bytes to picture: {done.bytes_to_picture}"


@contextmanager
def ended_by_signals() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C sets, so that the work ends whole; a second one breaks.

    A request to end (SIGTERM) and a closed terminal (SIGHUP) do the same.
    """
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in numbers}

    def end(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    for number in numbers:
        if before[number] != signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, end)
    try:
        yield stop
    finally:
        for number in numbers:
            signal.signal(number, before[number])


@contextmanager
def status_line() -> Iterator[Any]:
    """Yield what shows a line in the place of the last one, on a terminal's standard error."""
    if console.is_quiet() or not sys.stderr.isatty():
        yield lambda _: None
        return
    shown = 0.0

    def show(text: str) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= STATUS_SECONDS:
            shown = now
            click.echo(f"\r{text[:STATUS_COLUMNS]:<{STATUS_COLUMNS}}", err=True, nl=False)

    yield show
    if shown:
        click.echo(f"\r{'':<{STATUS_COLUMNS}}\r", err=True, nl=False)
