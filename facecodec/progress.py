"""How long work reports itself: one callback, whoever shows it."""

from __future__ import annotations

from collections.abc import Callable

# stage name, units done, units in all (None when unknown)
Progress = Callable[[str, int, int | None], None]


def silent(stage: str, done: int, total: int | None) -> None:
    """Show nothing."""
