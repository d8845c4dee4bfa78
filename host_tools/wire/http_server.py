"""HTTP servers on sockets: aiohttp carries, what answers is a `Server` of the exchange.

Everything that reads or waits is bounded (`limits`). The handler runs between reading a request and writing its answer
without giving way, so requests are served one after another and one request is one step of the server's state. An
answer may have no end (`streams`).
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import ClientError, HttpVersion11, web
from aiohttp.http_exceptions import HttpProcessingError

from host_tools.exchange.http import HttpRequest, HttpResponse, reason_of
from host_tools.exchange.transport import Peer, Server
from host_tools.wire.limits import ServerLimits
from host_tools.wire.metrics import Traffic
from host_tools.wire.streams import STILL_HERE, Streamed, StreamingServer

_log = logging.getLogger(__name__)
_TARGET = re.compile(r"[!-~]{1,2048}")
_OWN_HEADERS = frozenset(("content-length", "connection", "transfer-encoding"))
# What aiohttp says about heads it cannot read goes nowhere: it comes with tracebacks, which a client could ask for at
# will. Such connections are answered with 400.
_silent = logging.Logger("silent")  # noqa: LOG001  # outside the tree of loggers on purpose
_silent.addHandler(logging.NullHandler())


class _RefusedError(Exception):
    """A request that is not handed on; `status` says why."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class HttpSite:
    """One server on one listening socket.

    `after` is called when an answer has been written (or could not be): what must follow an answer goes out there.
    """

    def __init__(
        self,
        server: Server | StreamingServer,
        traffic: Traffic,
        limits: ServerLimits | None = None,
        after: Callable[[], None] | None = None,
        patience: Callable[[HttpRequest], Awaitable[None]] | None = None,
    ) -> None:
        """Take what answers, where is counted, the bounds, what follows an answer, and what a request may wait for."""
        self._server = server
        self._traffic = traffic
        self._limits = limits or ServerLimits()
        self._after = after
        self._patience = patience
        self._web: web.Server | None = None
        self._runner: web.ServerRunner | None = None
        self._streams = 0
        self._ending = asyncio.Event()

    async def start(self, listening: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Serve on a bound socket, which belongs to this object from now on; with `tls` over TLS."""
        limits = self._limits
        self._web = web.Server(
            self._handle,
            access_log=None,
            logger=_silent,
            keepalive_timeout=limits.idle,
            lingering_time=limits.linger,
            max_line_size=limits.line_size,
            max_field_size=limits.field_size,
            auto_decompress=False,  # the digest is over the octets as they came, and nothing grows while it is read
        )
        self._runner = web.ServerRunner(self._web, handle_signals=False, shutdown_timeout=limits.shutdown)
        await self._runner.setup()
        await web.SockSite(self._runner, listening, ssl_context=tls).start()

    async def stop(self) -> None:
        """Close the socket; requests in flight may end first, within the limit. Answers without an end are ended."""
        self._ending.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        refused = False
        try:
            answer = self._answer(await self._read(request), request)
        except _RefusedError as error:
            answer, refused = _plain(error.status), True
        if isinstance(answer, Streamed):
            if self._streams < self._limits.streams:
                return await self._stream(request, answer)
            answer = _plain(HTTPStatus.SERVICE_UNAVAILABLE)
        return await self._write_whole(request, answer, closes=refused)

    async def _write_whole(self, request: web.BaseRequest, answer: HttpResponse, *, closes: bool) -> web.StreamResponse:
        self._traffic.answers[answer.status] += 1
        response = web.Response(
            status=answer.status,
            reason=answer.reason or reason_of(answer.status),
            body=answer.body,
            headers=[(name, value) for name, value in answer.headers if name.lower() not in _OWN_HEADERS],
        )
        if closes:
            response.force_close()
        try:
            async with self._in_time(request, response):
                await response.prepare(request)
                await response.write_eof()
        finally:
            if self._after is not None:
                self._after()
        return response

    async def _stream(self, request: web.BaseRequest, answer: Streamed) -> web.StreamResponse:
        """Write what comes until the client leaves, does not keep up, or the server ends."""
        self._traffic.answers[HTTPStatus.OK] += 1
        response = web.StreamResponse(headers=list(answer.headers))
        response.force_close()
        waiting: asyncio.Queue[bytes] = asyncio.Queue(self._limits.stream_backlog)
        full = asyncio.Event()

        def hear(piece: bytes) -> None:
            try:
                waiting.put_nowait(piece)
            except asyncio.QueueFull:
                full.set()  # whoever is that slow asks anew

        self._streams += 1
        leave = answer.listen(hear)
        try:
            async with self._in_time(request, response):
                await response.prepare(request)
            while not (full.is_set() or self._ending.is_set() or _is_gone(request)):
                piece = await self._next(waiting)
                async with self._in_time(request, response):
                    await response.write(piece)
            if not _is_gone(request):
                async with self._in_time(request, response):
                    await response.write_eof()
        finally:
            leave()
            self._streams -= 1
        return response

    async def _next(self, waiting: asyncio.Queue[bytes]) -> bytes:
        """Return what comes next, and a sign of life where nothing does or the server ends."""
        coming, ending = asyncio.ensure_future(waiting.get()), asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait((coming, ending), timeout=self._limits.heartbeat, return_when=asyncio.FIRST_COMPLETED)
            return coming.result() if coming.done() else STILL_HERE
        finally:
            coming.cancel()
            ending.cancel()

    async def _read(self, request: web.BaseRequest) -> HttpRequest:
        """Return the whole request. Raises `_RefusedError`."""
        if self._web is not None and len(self._web.connections) > self._limits.connections:
            raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE)
        if not _TARGET.fullmatch(request.raw_path):
            raise _RefusedError(HTTPStatus.BAD_REQUEST)
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers)
        try:
            async with asyncio.timeout(None if request.content.is_eof() else self._limits.body):
                body = await self._read_body(request)
        except TimeoutError:
            self._traffic.cut += 1
            raise _RefusedError(HTTPStatus.REQUEST_TIMEOUT) from None
        except (ConnectionError, ClientError, web.RequestPayloadError, HttpProcessingError):
            self._traffic.cut += 1
            raise _RefusedError(HTTPStatus.BAD_REQUEST) from None
        read = HttpRequest(request.method, request.raw_path, headers, body)
        if self._patience is not None:
            await self._patience(read)
        return read

    async def _read_body(self, request: web.BaseRequest) -> bytes:
        if (request.content_length or 0) > self._limits.body_size:
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        await _go_on(request)
        body = bytearray()
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > self._limits.body_size:
                raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return bytes(body)

    def _answer(self, read: HttpRequest, request: web.BaseRequest) -> HttpResponse | Streamed:
        try:
            answer = self._server.handle(read, _peer(request))
        except Exception as error:  # a server raises nothing: this is a defect, and nothing of it goes out
            self._traffic.defects += 1
            _log.error("a server raised %s", type(error).__name__)
            return _plain(HTTPStatus.SERVICE_UNAVAILABLE)
        shown = "".join(text for header in answer.headers for text in header)
        if shown.isascii() and shown.isprintable():
            return answer
        self._traffic.defects += 1
        _log.error("a server answers with a header that is no printable ASCII")
        return _plain(HTTPStatus.SERVICE_UNAVAILABLE)

    @asynccontextmanager
    async def _in_time(self, request: web.BaseRequest, response: web.StreamResponse) -> AsyncIterator[None]:
        """Bound how long a write takes; a client that does not take it in time is cut off."""
        try:
            async with asyncio.timeout(self._limits.answer):
                yield
        except (TimeoutError, ConnectionError, ClientError):
            self._traffic.cut += 1
            response.force_close()
            if request.transport is not None:
                request.transport.abort()


async def _go_on(request: web.BaseRequest) -> None:
    """Tell a client that holds its body back to send it (RFC 7231 clause 5.1.1); other expectations are passed over."""
    wanted = request.headers.get("Expect", "").strip().lower()
    if wanted == "100-continue" and request.version >= HttpVersion11 and not request.content.is_eof():
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _is_gone(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()


def _peer(request: web.BaseRequest) -> Peer:
    """Return who asks. The name in its certificate is its only DNS name, or else its common name."""
    address = request.get_extra_info("peername") or ("", 0)
    shown = request.get_extra_info("peercert") or {}
    names = [value for kind, value in shown.get("subjectAltName", ()) if kind == "DNS"]
    names = names or [value for row in shown.get("subject", ()) for key, value in row if key == "commonName"]
    return Peer(str(address[0]), int(address[1]), names[0] if len(names) == 1 else None)


def _plain(status: HTTPStatus) -> HttpResponse:
    return HttpResponse(status, (("Content-Type", "text/plain; charset=utf-8"),), f"{status.phrase}\n".encode())
