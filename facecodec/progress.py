"""How work that takes long reports its progress: one callback."""

from __future__ import annotations

from collections.abc import Callable

# stage name, units done, units in all (None when unknown)
Progress = Callable[[str, int, int | None], None]


def silent(stage: str, done: int, total: int | None) -> None:
    """Show nothing."""
