"""Where live streams go to and come from: `udp://host:port`, and sockets for it."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from facecodec.errors import FacecodecError, UsageError

SCHEME = "udp://"
MAX_DATAGRAM_BYTES = 65_535
RECEIVE_BUFFER_BYTES = 1 << 20  # that the system may keep while a picture is drawn
_ADDRESS = re.compile(r"udp://(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^\s:/\[\]]*)):(\d{1,5})/?")
_MAX_PORT = 65_535


@dataclass(frozen=True)
class Address:
    """A host, by name or number, empty for all of this machine's; and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{SCHEME}{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Return the address that `udp://host:port` names. Raises UsageError for anything else."""
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match[3]) <= _MAX_PORT:
        raise UsageError(f"{text}: not an address; write udp://host:port")
    return Address(match[1] or match[2] or "", int(match[3]))


def sending_socket(address: Address) -> tuple[socket.socket, tuple[str, int]]:
    """Return a socket and where it sends to. Raises FacecodecError for a host that is not found."""
    if not address.host:
        raise UsageError(f"{address}: names no host to send to")
    family, where = _found(address, passive=False)
    return socket.socket(family, socket.SOCK_DGRAM), where


def receiving_socket(address: Address) -> socket.socket:
    """Return a socket that receives at an address. Raises FacecodecError where that is taken."""
    family, where = _found(address, passive=True)
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        made.bind(where)
    except OSError as error:
        made.close()
        why = (error.strerror or str(error)).lower()
        raise FacecodecError(f"{address}: cannot be listened at ({why})") from error
    return made


def _found(address: Address, passive: bool) -> tuple[socket.AddressFamily, tuple[str, int]]:
    flags = socket.AI_PASSIVE if passive else 0
    try:
        rows = socket.getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_DGRAM, flags=flags
        )
    except (OSError, UnicodeError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise FacecodecError(f"{address}: host not found ({why})") from error
    return rows[0][0], rows[0][4]  # type: ignore[return-value]  # longer for IPv6
