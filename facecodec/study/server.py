"""A page served to this machine only: 127.0.0.1, and a token that nobody else knows."""

from __future__ import annotations

import hmac
import json
import os
import secrets
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from facecodec.errors import FacecodecError, UsageError
from facecodec.study.newcomer import MAX_PICTURE_BYTES
from facecodec.study.page import asset, build
from facecodec.study.view import Studio

HOST = "127.0.0.1"
MAX_BODY_BYTES = 65_536
MAX_CONNECTIONS = 32  # at once; a page needs two or three
SECURITY_POLICY = (
    "default-src 'none'; img-src blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'"
)

REDIRECT = """<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0;url={url}"><title>facecodec view</title>
<p><a href="{url}">Open facecodec view</a></p>
"""
PAGE_BODY = asset("view.html")


# what a request that no page sends may raise: numbers out of range, lists in lists without end
_BAD_REQUEST = (
    FacecodecError, ValueError, KeyError, TypeError, OverflowError, RecursionError, AttributeError,
)  # fmt: skip


def _keys(told: Any) -> list[tuple[int, float | None]]:
    """Return the keys of a control out of a request. Raises ValueError for what is none."""
    keys = [(int(at), None if value is None else float(value)) for at, value in told]
    if not keys:
        raise ValueError("a control without keys")
    return keys


class ViewServer(ThreadingHTTPServer):
    """Serves one studio; `url` is the only address that answers."""

    daemon_threads = True

    def __init__(self, studio: Studio, port: int = 0) -> None:
        """`port` 0: any that is free. Raises UsageError when the port is taken."""
        self.studio, self.token = studio, secrets.token_urlsafe(24)
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise UsageError(f"port {port}: cannot be used ({error.strerror})") from error
        self.names = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection on a thread of its own, or close it when there are too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a page that was closed while it waited for a picture."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Return the address to open, token included."""
        return f"http://{HOST}:{self.server_port}/?token={self.token}"

    def redirect_file(self, folder: Path) -> Path:
        """Write a page into `folder` that leads to `url`, for this user's eyes only."""
        path = folder / "view.html"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(REDIRECT.format(url=self.url))
        return path

    def page(self) -> str:
        """Return the page."""
        studio = self.studio
        data = {
            "name": studio.name,
            "names": studio.names,
            "regions": studio.regions,
            "people": studio.people,
            "times": studio.times,
            "rate": studio.rate,
            "controls": [[round(float(v), 4) for v in row] for row in studio.controls],
            "limit": studio.limit,
            "token": self.token,
        }
        title = f"{studio.name}: view"
        return build(title, PAGE_BODY, data, ["keys.js", "view.js"], ["view.css"], SECURITY_POLICY)


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer
    server_version, sys_version = "facecodec", ""
    protocol_version = "HTTP/1.1"
    timeout = 60
    # A head and a body that go out apart wait for each other: Nagle's algorithm holds the second
    # until the first is acknowledged, and a browser takes 40 ms for that, two thirds of a picture.
    disable_nagle_algorithm, wbufsize = True, -1

    def do_GET(self) -> None:  # noqa: N802
        """Serve the page."""
        address = urlsplit(self.path)
        given = parse_qs(address.query).get("token", [""])[0]
        if not self._allowed(given):
            return
        if address.path != "/":
            self._answer(HTTPStatus.NOT_FOUND, b"not found", "text/plain")
            return
        self._answer(HTTPStatus.OK, self.server.page().encode(), "text/html; charset=utf-8")

    def do_POST(self) -> None:  # noqa: N802
        """Render, make or find a person, or give out a picture or the edited stream."""
        if not self._allowed(self.headers.get("X-Token", "")):
            return
        try:
            if self.path == "/person":
                self.server.studio.begin_newcomer(self._content(MAX_PICTURE_BYTES))
                self._answer(HTTPStatus.OK, b"{}", "application/json")
                return
            request = self._body()
            if self.path == "/render":
                shot = self.server.studio.render(request["controls"], str(request["person"]))
                timing = {"X-Render-Ms": f"{shot.render_ms:.1f}"}
                self._answer(HTTPStatus.OK, shot.jpeg, "image/jpeg", timing)
            elif self.path == "/picture":
                picture = self.server.studio.picture(request["controls"], str(request["person"]))
                self._answer(HTTPStatus.OK, picture, "image/png")
            elif self.path == "/stream":
                keys = {int(number): _keys(told) for number, told in request["keys"].items()}
                content = self.server.studio.stream(keys, str(request["person"]))
                self._answer(HTTPStatus.OK, content, "application/octet-stream")
            elif self.path == "/fitting":
                self._answer(HTTPStatus.OK, self._fitting(), "application/json")
            elif self.path == "/random":
                name = self.server.studio.random_person(int(request["seed"]) % 2**31)
                self._answer(HTTPStatus.OK, json.dumps({"name": name}).encode(), "application/json")
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"not found", "text/plain")
        except _BAD_REQUEST as error:
            self.close_connection = True
            self._answer(HTTPStatus.BAD_REQUEST, str(error).encode(), "text/plain; charset=utf-8")

    def _allowed(self, token: str) -> bool:
        """Refuse whoever lacks the token or came under another name (DNS rebinding)."""
        known = hmac.compare_digest(token.encode(), self.server.token.encode())
        if known and self.headers.get("Host", "") in self.server.names:
            return True
        self.close_connection = True
        self._answer(HTTPStatus.FORBIDDEN, b"open the address that was printed", "text/plain")
        return False

    def _fitting(self) -> bytes:
        """Return how far the search for the person of a picture is, as JSON."""
        report, name = self.server.studio.newcomer()
        told = {"stage": report.stage, "done": report.done, "total": report.total}
        return json.dumps(told | {"error": report.error, "name": name}).encode()

    def _content(self, most: int) -> bytes:
        length = int(self.headers.get("Content-Length", "0"))
        if not 0 < length <= most:
            raise ValueError(f"a request of {length} bytes")
        return self.rfile.read(length)

    def _body(self) -> dict[str, Any]:
        loaded = json.loads(self._content(MAX_BODY_BYTES))
        if not isinstance(loaded, dict):
            raise ValueError("a request is an object")
        return loaded

    def _answer(
        self, status: HTTPStatus, content: bytes, kind: str, more: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        for name, value in (headers | (more or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is the user's."""
