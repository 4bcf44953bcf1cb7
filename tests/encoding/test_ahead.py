"""Items that a thread makes ahead of their use."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest

from facecodec.encoding.ahead import AHEAD, ahead


def test_items_come_in_order():
    assert list(ahead(range(50))) == list(range(50))
    assert list(ahead([])) == []


def test_they_are_made_ahead_but_not_far():
    made = []

    def items():
        for i in range(20):
            made.append(i)
            yield i

    with closing(ahead(items())) as coming:
        next(coming)
        for _ in range(100):
            if len(made) >= AHEAD + 1:
                break
            time.sleep(0.01)
        time.sleep(0.05)
        assert len(made) == AHEAD + 1  # the one taken, and those that wait


def test_an_item_is_as_new_as_can_be():
    came = 0

    def newest():
        while True:
            yield came

    with closing(ahead(newest(), 1)) as coming:
        next(coming)
        time.sleep(0.05)
        came = 1
        assert next(coming) == 0  # it was made before
        time.sleep(0.05)
        came = 2
        assert next(coming) == 1


def test_an_error_comes_where_it_would_have_come():
    def items():
        yield 1
        raise KeyError("two")

    coming = ahead(items())
    assert next(coming) == 1
    with pytest.raises(KeyError, match="two"):
        next(coming)


def test_whoever_stops_ends_the_thread():
    before = threading.active_count()
    coming = ahead(iter(range(1000)))
    next(coming)
    assert threading.active_count() == before + 1
    coming.close()
    assert threading.active_count() == before
