"""Where a sender's bytes go: datagrams to an address, or a stream to a pipe or a file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Protocol

from facecodec.atomic import abandon, opened_whole, refuse_overwrite
from facecodec.errors import FacecodecError
from facecodec.live.address import SCHEME, Address, parse_address, sending_socket

ENDINGS = 3  # times that the end is sent, as a datagram may be lost
ENDING_SECONDS = 0.02  # between them


class Outlet(Protocol):
    """Takes what an encoder gives. `datagrams`: which kind of encoder it needs."""

    datagrams: bool

    def send(self, data: bytes | list[bytes]) -> tuple[int, int]:
        """Send what is ready; return its bytes, and how many datagrams they were."""
        ...

    def finish(self, data: bytes | list[bytes]) -> None:
        """Send the end."""
        ...

    def abort(self) -> None:
        """Give up; nothing half-written stays."""
        ...


class UdpOutlet:
    """Datagrams to a host."""

    datagrams = True

    def __init__(self, address: Address) -> None:
        """Raises FacecodecError for a host that is not found."""
        self.unsent = 0  # datagrams that the system did not take, as where a cable is pulled
        self._address, self._sent = address, 0
        self._socket, self._where = sending_socket(address)

    def send(self, data: bytes | list[bytes]) -> tuple[int, int]:
        """Send datagrams. Raises FacecodecError where not even the first one can be sent."""
        assert isinstance(data, list)
        for datagram in data:
            try:
                self._socket.sendto(datagram, self._where)
                self._sent += 1
            except OSError as error:
                if not self._sent:
                    why = (error.strerror or str(error)).lower()
                    raise FacecodecError(f"{self._address}: cannot be sent to ({why})") from error
                self.unsent += 1
        return sum(map(len, data)), len(data)

    def finish(self, data: bytes | list[bytes]) -> None:
        """Send the end several times."""
        for again in range(ENDINGS if data else 0):
            if again:
                time.sleep(ENDING_SECONDS)
            self.send(data)
        self._socket.close()

    def abort(self) -> None:
        """Stop."""
        self._socket.close()


class StreamOutlet:
    """A stream of bytes to standard output, a named pipe, or a file that appears at the end."""

    datagrams = False

    def __init__(self, path: str) -> None:
        """Raises FacecodecError for a file that cannot be written."""
        self._stack = ExitStack()
        self._file = self._stack.enter_context(opened_whole(path))

    def send(self, data: bytes | list[bytes]) -> tuple[int, int]:
        """Write bytes. Raises BrokenPipeError when the reader is gone."""
        assert isinstance(data, bytes)
        self._file.write(data)
        return len(data), 0

    def finish(self, data: bytes | list[bytes]) -> None:
        """Write the end, and have a file appear."""
        self.send(data)
        self._stack.close()

    def abort(self) -> None:
        """Remove a file."""
        abandon(self._stack)


def refuse_outlet(to: str, force: bool, inputs: Sequence[str | None] = ()) -> None:
    """Raise UsageError, before any work, for what is no address and cannot be written."""
    if to.startswith(SCHEME):
        parse_address(to)
    else:
        refuse_overwrite(to, force, inputs)


def open_outlet(to: str) -> Outlet:
    """Open `udp://host:port`, '-' for standard output, or a file."""
    return UdpOutlet(parse_address(to)) if to.startswith(SCHEME) else StreamOutlet(to)
