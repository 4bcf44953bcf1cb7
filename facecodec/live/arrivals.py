"""What arrives at a receiver, noted on a thread of its own: bytes, when they came, from where."""

from __future__ import annotations

import os
import select
import socket
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from facecodec.live.address import MAX_DATAGRAM_BYTES, Address, receiving_socket
from facecodec.live.background import Background

MOST_WAITING = 4096  # datagrams, before the oldest are dropped
STOP_SECONDS = 0.1  # between looks at whether to stop
PIPE_BYTES = 1 << 16  # read at once


@dataclass(frozen=True)
class Arrived:
    """Bytes that came at `time` of `perf_counter`, from a host; '' where that is not known."""

    data: bytes
    time: float
    host: str = ""


class Inlet(Protocol):
    """Where bytes come from."""

    def read(self) -> Arrived | None:
        """Return what has come, None where nothing does. Raises EOFError at the end."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class UdpInlet:
    """Datagrams that come to an address."""

    def __init__(self, address: Address) -> None:
        """Raises FacecodecError for an address that cannot be listened at."""
        self._socket: socket.socket = receiving_socket(address)
        self._socket.settimeout(STOP_SECONDS)

    def read(self) -> Arrived | None:
        """Return a datagram, None where none comes."""
        try:
            data, where = self._socket.recvfrom(MAX_DATAGRAM_BYTES)
        except TimeoutError:
            return None
        return Arrived(data, time.perf_counter(), str(where[0]))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class PipeInlet:
    """Bytes of a pipe or a file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> Arrived | None:
        """Return what has come, None where nothing comes."""
        if not select.select([self._descriptor], [], [], STOP_SECONDS)[0]:
            return None
        data = os.read(self._descriptor, PIPE_BYTES)
        if not data:
            raise EOFError
        return Arrived(data, time.perf_counter())

    def close(self) -> None:
        """Nothing: the descriptor is its owner's."""


class Arrivals(Background):
    """Reads an inlet on a thread. `lost`: what came while too much waited."""

    def __init__(self, inlet: Inlet, bounded: bool) -> None:
        """bounded: drop the oldest where nobody takes them, as of datagrams; else read no more."""
        super().__init__()
        self.lost = 0
        self._inlet, self._bounded = inlet, bounded
        self._came: deque[Arrived] = deque()

    @property
    def ended(self) -> bool:
        """Whether all that will come has been taken."""
        with self._change:
            return self._ended and not self._came

    def take(self, timeout: float) -> list[Arrived]:
        """Return all that has come, after at most `timeout` seconds; raises what reading raised."""
        with self._change:
            self._change.wait_for(lambda: self._came or self._ended, max(timeout, 0.0))
            taken = list(self._came)
            self._came.clear()
            self._change.notify_all()
            if self._error is not None and not taken:
                raise self._error
            return taken

    def _read(self) -> None:
        while not self._stopped:
            try:
                arrived = self._inlet.read()
            except EOFError:
                return
            if arrived is None:
                continue
            with self._change:
                if len(self._came) >= MOST_WAITING:
                    if self._bounded:
                        self._came.popleft()
                        self.lost += 1
                    else:
                        self._change.wait_for(lambda: not self._came or self._stopped)
                self._came.append(arrived)
                self._change.notify_all()

    def _release(self) -> None:
        self._inlet.close()
