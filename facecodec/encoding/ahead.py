"""Items that a thread makes ahead of their use: a frame is read while the one before is tracked."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from contextlib import suppress
from typing import TypeVar

Item = TypeVar("Item")

AHEAD = 3  # items that wait at most: enough to overlap, little memory


def ahead(items: Iterable[Item]) -> Generator[Item, None, None]:
    """Yield items in order, up to `AHEAD` of which a thread has made before they are asked for.

    An error in making one is raised where it would have come. A generator that is closed, or not
    used up, ends its thread.
    """
    made: queue.Queue[tuple[bool, Item | BaseException | None]] = queue.Queue(AHEAD)
    over = threading.Event()

    def put(entry: tuple[bool, Item | BaseException | None]) -> None:
        while not over.is_set():
            with suppress(queue.Full):
                made.put(entry, timeout=0.1)
                return

    def make() -> None:
        try:
            for item in items:
                put((True, item))
                if over.is_set():
                    return
        except BaseException as error:
            put((False, error))
        else:
            put((False, None))

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while True:
            more, item = made.get()
            if not more:
                if isinstance(item, BaseException):
                    raise item
                return
            yield item  # type: ignore[misc]  # no error, as `more` says
    finally:
        over.set()
        thread.join()
