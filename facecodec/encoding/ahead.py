"""Items that a thread makes ahead of their use: a frame is read while the one before is tracked."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

Item = TypeVar("Item")

AHEAD = 3  # items that wait at most: enough to overlap, little memory


def ahead(items: Iterable[Item], most: int = AHEAD) -> Generator[Item, None, None]:
    """Yield items in order, up to `most` of which a thread has made before they are asked for.

    An item is begun when there is room for it: where they come live, it is as new as can be. An
    error in making one is raised where it would have come. A generator that is closed, or not
    used up, ends its thread.
    """
    made: queue.SimpleQueue[tuple[bool, Item | BaseException | None]] = queue.SimpleQueue()
    room, over = threading.Semaphore(most), threading.Event()

    def make() -> None:
        try:
            coming = iter(items)
            while room.acquire() and not over.is_set():
                made.put((True, next(coming)))
        except StopIteration:
            made.put((False, None))
        except BaseException as error:
            made.put((False, error))

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while True:
            more, item = made.get()
            room.release()
            if not more:
                if isinstance(item, BaseException):
                    raise item
                return
            yield item  # type: ignore[misc]  # no error, as `more` says
    finally:
        over.set()
        room.release()
        thread.join()
