"""Serves an exported folder to this machine: 127.0.0.1 alone, files alone."""

from __future__ import annotations

import functools
import sys
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from facecodec.errors import UsageError

HOST = "127.0.0.1"
TYPES = {  # of files, by their suffix
    "": "application/octet-stream",
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".jpg": "image/jpeg",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}


def check_page(folder: str | Path) -> Path:
    """Return a folder with a page. Raises UsageError without one."""
    folder = Path(folder)
    if not (folder / "index.html").is_file():
        raise UsageError(f"{folder}: no index.html in it; export a folder first")
    return folder


class FolderServer(ThreadingHTTPServer):
    """Serves one folder; `url` is its address."""

    daemon_threads = True

    def __init__(self, folder: str | Path, port: int = 0) -> None:
        """`port` 0: any that is free. Raises UsageError without a page, or where it is taken."""
        folder = check_page(folder)
        handler = functools.partial(_Handler, directory=str(folder))
        try:
            super().__init__((HOST, port), handler)
        except OSError as error:
            raise UsageError(f"port {port}: cannot be used ({error.strerror})") from error
        self.names = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}

    @property
    def url(self) -> str:
        """Return the address to open."""
        return f"http://{HOST}:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a page that was closed while it loaded."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(SimpleHTTPRequestHandler):
    server_version, sys_version = "facecodec", ""
    protocol_version = "HTTP/1.1"
    timeout = 60
    # Otherwise a file waits until its headers, which are sent apart, have been acknowledged.
    disable_nagle_algorithm = True
    extensions_map = TYPES

    def send_head(self) -> Any:
        """Refuse whoever came under another name (DNS rebinding)."""
        server = self.server
        if isinstance(server, FolderServer) and self.headers.get("Host", "") in server.names:
            return super().send_head()
        self.close_connection = True
        self.send_error(HTTPStatus.FORBIDDEN, "open the address that was printed")
        return None

    def list_directory(self, path: Any) -> Any:
        """Answer that there is none: files are served, no lists of them."""
        self.send_error(HTTPStatus.NOT_FOUND, "not found")

    def end_headers(self) -> None:
        """Add what keeps a browser from guessing and from keeping old files."""
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is the user's."""
