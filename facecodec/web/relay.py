"""Shows a live stream in browsers: a page, and a WebSocket beside it that passes the motion on.

What comes from the sender, in whichever order and however damaged, is rewritten as a stream of
version 1 whose segments have one frame each. A page that joins is sent its beginning, which has the
person, and then every segment as a message of its own: one that is left out harms no other. The
sound is not passed on.
"""

from __future__ import annotations

import functools
import io
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from facecodec.bitstream import IdentityFile, StreamHeader, StreamWriter
from facecodec.errors import StreamError, UsageError
from facecodec.live.arrivals import Arrivals, Inlet
from facecodec.live.decoder import Decoder, LiveFrame
from facecodec.web.serve import HOST, TYPES, check_page

if TYPE_CHECKING:
    from websockets.http11 import Request, Response
    from websockets.sync.server import ServerConnection

ADDRESS = "/live"  # of the WebSocket, beside the page
MOST_WAITING = 8  # segments that a slow page may be behind, before the oldest are left out
LISTEN_SECONDS = 0.1  # between looks at whether to stop
CONTENT_TYPE = "application/octet-stream"  # of files that are of no known kind


class _Page:
    """What a page is to be sent: the beginning, empty once it was, then segments."""

    def __init__(self) -> None:
        self.beginning = b""
        self.segments: deque[bytes] = deque(maxlen=MOST_WAITING)

    @property
    def waits(self) -> bool:
        return bool(self.beginning or self.segments)

    def take(self) -> list[bytes]:
        """Return what waits; it is then sent."""
        taken = [self.beginning] if self.beginning else []
        taken += self.segments
        self.beginning = b""
        self.segments.clear()
        return taken


class Relay:
    """Takes what a sender sends; gives pages the beginning of its stream, and each segment."""

    def __init__(self, *, datagrams: bool, identity: IdentityFile | None = None) -> None:
        """identity: the `.fci` file that the sender may refer to."""
        self.decoder = Decoder(datagrams=datagrams)
        self.frames = 0
        self._identity = identity
        self._change = threading.Condition()
        self._pages: set[_Page] = set()
        self._stream: bytes | None = None  # the id of the one that is passed on
        self._tuned = False  # whether with the tuning, which may come last
        self._writer: StreamWriter | None = None
        self._bytes = io.BytesIO()
        self._beginning = b""
        self._closed = False

    def feed(self, data: bytes) -> None:
        """Take bytes, or one datagram.

        Raises StreamError for a stream of another version, or of a person who is in no file here.
        """
        for frame in self.decoder.feed(data):
            self._pass_on(frame)

    def close(self) -> None:
        """Let all pages go."""
        with self._change:
            self._closed = True
            self._change.notify_all()

    @contextmanager
    def page(self) -> Iterator[Callable[[], list[bytes] | None]]:
        """While entered, note what a page is to be sent; yield what waits for that.

        It returns messages in their order, and None at the end.
        """
        page = _Page()

        def take() -> list[bytes] | None:
            with self._change:
                self._change.wait_for(lambda: page.waits or self._closed)
                return page.take() or None

        with self._change:
            page.beginning = self._beginning
            self._pages.add(page)
        try:
            yield take
        finally:
            with self._change:
                self._pages.discard(page)

    def _pass_on(self, frame: LiveFrame) -> None:
        header = self.decoder.header
        assert header is not None
        another = frame.stream_id != self._stream
        begins = another or (not self._tuned and self.decoder.tuning is not None)
        if begins:
            if not self._has_person():
                return  # it comes with later datagrams
            self._begin(header, frame.stream_id)
        assert self._writer is not None
        pts = frame.time / header.time_base
        self._writer.write_frame(int(pts), frame.controls, frame.placement, frame.flags)
        data = self._bytes.getvalue()
        self._bytes.seek(0)
        self._bytes.truncate()
        if not data:
            return
        self.frames += 1
        with self._change:
            if begins:
                self._beginning = data
            for page in self._pages:
                if begins:
                    page.beginning = data
                    page.segments.clear()
                else:
                    page.segments.append(data)
            self._change.notify_all()

    def _has_person(self) -> bool:
        """Return whether the person has come. Raises StreamError for one who is elsewhere."""
        reference = self.decoder.identity_reference
        if reference is None:
            return self.decoder.identity is not None
        if self._identity is None or self._identity.sha256 != reference:
            raise StreamError(
                f"the live stream refers to the person {reference.hex()[:12]}, whose .fci file was "
                "not given"
            )
        return True

    def _begin(self, header: StreamHeader, stream: bytes) -> None:
        self._stream = stream
        self._writer = StreamWriter(self._bytes, header, segment_frames=1)
        file = self._identity if self.decoder.identity_reference is not None else None
        payload = self.decoder.identity if file is None else file.payload
        tuning = self.decoder.tuning if file is None else self.decoder.tuning or file.tuning
        assert payload is not None
        self._writer.write_identity_payload(payload)
        self._tuned = tuning is not None
        if tuning is not None:
            self._writer.write_tuning(tuning)


class RelayServer:
    """Serves an exported folder to this machine, and the live stream at `ADDRESS` beside it."""

    def __init__(self, folder: str | Path, relay: Relay, port: int = 0) -> None:
        """`port` 0: any that is free.

        Raises UsageError without a page in `folder`, where the port is taken, or where the library
        for WebSockets is not installed.
        """
        try:
            from websockets.sync.server import serve
        except ImportError as error:
            raise UsageError(
                "websockets is not installed; run: pip install 'facecodec[relay]'"
            ) from error
        self._relay = relay
        folder = check_page(folder).resolve()
        try:
            self._server: Any = serve(
                self._talk, HOST, port,
                process_request=functools.partial(self._answer, folder), compression=None,
                logger=_quiet(),
            )  # fmt: skip
        except OSError as error:
            raise UsageError(f"port {port}: cannot be used ({error.strerror})") from error
        self.port: int = self._server.socket.getsockname()[1]
        self._names = {f"{name}:{self.port}" for name in (HOST, "localhost")}

    @property
    def url(self) -> str:
        """Return the address to open."""
        return f"http://{HOST}:{self.port}/?live"

    def start(self) -> None:
        """Serve, on a thread."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Let all pages go, and end."""
        self._relay.close()
        self._server.shutdown()

    def _answer(
        self, folder: Path, connection: ServerConnection, request: Request
    ) -> Response | None:
        """Answer a request with a file; None for the WebSocket.

        Refused is whoever came under another name (DNS rebinding), and another site's page.
        """
        origin = request.headers.get("Origin")
        ours = request.headers.get("Host") in self._names
        if not ours or (origin is not None and urlsplit(origin).netloc not in self._names):
            return connection.respond(403, "open the address that was printed\n")
        path = unquote(urlsplit(request.path).path)
        if path == ADDRESS:
            return None
        file = folder if "\0" in path else (folder / path.lstrip("/")).resolve()
        if file == folder and path == "/":
            file = folder / "index.html"
        if not file.is_relative_to(folder) or not file.is_file():
            return connection.respond(404, "not found\n")
        response = connection.respond(200, "")
        response.body = file.read_bytes()
        for name, value in {
            "Content-Type": TYPES.get(file.suffix, CONTENT_TYPE),
            "Content-Length": str(len(response.body)),
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-cache",
        }.items():
            if name in response.headers:
                del response.headers[name]
            response.headers[name] = value
        return response

    def _talk(self, connection: ServerConnection) -> None:
        """Send a page what it is to be sent, until it or the stream ends."""
        from websockets.exceptions import ConnectionClosed

        with self._relay.page() as take:
            try:
                while (messages := take()) is not None:
                    for message in messages:
                        connection.send(message)
            except ConnectionClosed:
                pass


def _quiet() -> logging.Logger:
    """Return a logger that says nothing of pages that come and go: the terminal is the user's."""
    logger = logging.getLogger(__name__)
    logger.setLevel(logging.CRITICAL)
    return logger


def pass_on(inlet: Inlet, datagrams: bool, relay: Relay, stop: threading.Event) -> None:
    """Feed a relay with what arrives, until the sender ends or `stop` is set."""
    host: str | None = None
    with Arrivals(inlet, datagrams) as arrivals:
        while not stop.is_set() and not arrivals.ended and not relay.decoder.ended:
            for arrived in arrivals.take(LISTEN_SECONDS):
                if host is not None and arrived.host != host:
                    continue  # another sender
                relay.feed(arrived.data)
                if relay.decoder.header is not None and arrived.host:
                    host = arrived.host
