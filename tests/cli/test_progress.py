"""Progress: one bar over all stages, a line a stage without a terminal, silence under -q."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import facecodec
from facecodec.cli import console, progress
from facecodec.cli.progress import Overall, clock, shown

SHARES = {"faces": 1.0, "fitting": 3.0, "writing": 1.0}


@pytest.fixture(autouse=True)
def normal():
    console.set_quiet(False)
    console.set_verbose(False)
    yield
    console.set_quiet(False)
    console.set_verbose(False)


def test_stages_add_up_to_one_bar():
    overall = Overall(SHARES)
    assert overall.fraction is None and overall.seconds_left is None
    seen = []
    for stage in SHARES:
        for done in range(11):
            overall.report(stage, done, 10)
            seen.append(overall.fraction)
    assert seen[0] == 0 and seen[10] == pytest.approx(0.2)
    assert seen[16] == pytest.approx(0.5)
    assert seen[-1] == pytest.approx(1)
    assert seen == sorted(seen)


def test_a_stage_left_out_counts_as_done_and_an_unknown_total_as_none():
    overall = Overall(SHARES)
    overall.report("writing", 0, None)
    assert overall.fraction == pytest.approx(0.8)
    overall.report("something else", 1, 2)
    assert overall.fraction is None


def test_the_time_left(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    overall = Overall(SHARES)
    overall.report("faces", 10, 10)
    now[0] += 20
    assert overall.seconds_left == pytest.approx(80)
    assert (clock(7.4), clock(725), clock(3723)) == ("0:07", "12:05", "1:02:03")


def work(report: progress.callbacks.Progress) -> None:
    for stage in SHARES:
        for done in range(1, 4):
            report(stage, done, 3)


def test_without_a_terminal_a_line_a_stage(capsys):
    with shown(SHARES) as report:
        work(report)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line.split(" in ")[0] for line in captured.err.splitlines()] == [
        "faces: 3", "fitting: 3", "writing: 3",
    ]  # fmt: skip


def test_quiet_is_silent(capsys):
    console.set_quiet(True)
    with shown(SHARES) as report:
        work(report)
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_one_bar(monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with shown(SHARES) as report:
        work(report)
    last = terminal.getvalue().split("\n")[-2]
    assert "writing" in last and "3 of 3" in last
    assert "faces" not in last


def test_the_stages_foreseen_are_those_that_report():
    """A stage that is renamed must be renamed here, or the bar stands still."""
    code = "".join(
        path.read_text()
        for path in Path(facecodec.__file__).parent.rglob("*.py")
        if "cli" not in path.parts
    )
    plans = (progress.FULL_TUNE, progress.PUPPET, progress.COMPARE, progress.REPORT)
    for plan in (*plans, progress.EVALUATE, progress.DISCOVER):
        for stage in plan:
            assert f'"{stage}"' in code, stage
