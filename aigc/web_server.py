"""The web process's server: Daphne, made to wait for its readers.

Daphne takes all that the application sends and keeps what the client does not read, without end: all text of every
job that a sleeping laptop follows, the whole of a file whose download was left alone. Here `send` waits while the
connection's buffer is full, and a client that has not emptied it for STALLED_S is cut off. It loses nothing: whoever
comes back goes on after the last event or byte that it has.

    python -m aigc.web_server -p 8000 aigc.asgi:application        # options as Daphne's own
"""

from __future__ import annotations

import aigc.lib.unused_imports  # noqa: F401  # isort: skip  # before all others: see there

import asyncio
import socket
from contextlib import suppress
from typing import Any

import structlog
from daphne.cli import CommandLineInterface  # type: ignore[import-untyped]  # no types, nor have the next ones
from daphne.server import Server  # type: ignore[import-untyped]
from twisted.internet.interfaces import IPushProducer
from twisted.internet.tcp import Connection
from typing_extensions import override
from zope.interface import implementer  # type: ignore[import-untyped]

logger = structlog.get_logger(__name__)

STALLED_S = 60.0  # as nginx's `send_timeout`
# Unsent bytes that the kernel may keep of a connection, where it would take megabytes. Twisted keeps 64 KB more before
# it says that it is full.
KERNEL_KEEPS_BYTES = 64 * 1024


class WaitingServer(Server):  # type: ignore[misc]  # Daphne has no types
    """Lets sockets, and answers that come in pieces, go on only as fast as their readers read."""

    @override
    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        connection = self.connections.get(protocol, {})
        self._watch(protocol, connection, message)
        await super().handle_reply(protocol, message)
        gate: Gate | None = connection.get("gate")
        if gate is not None and not gate.is_open:
            await gate.opened()

    def _watch(self, protocol: Any, connection: dict[str, Any], message: dict[str, Any]) -> None:
        """Have Twisted tell the gate of a full buffer, from the first piece to the end."""
        match message["type"], connection.get("gate"):
            case "websocket.accept", None:
                # The HTTP connection that it was before is still told in its stead.
                protocol.unregisterProducer()
                connection["gate"] = Gate(protocol.transport, pauses_reading=True)
                send_at_once(protocol.transport)
                protocol.registerProducer(connection["gate"], True)
            case "http.response.body", None if message.get("more_body") and protocol.channel is not None:
                connection["gate"] = Gate(protocol.transport, pauses_reading=False)
                send_at_once(protocol.transport)
                protocol.registerProducer(connection["gate"], True)
            case "http.response.body", Gate() if (
                not message.get("more_body") and protocol.channel is not None
            ):
                protocol.unregisterProducer()
            case "websocket.close", Gate() as gate:
                # Twisted does not end a connection whose producer may have more.
                protocol.unregisterProducer()
                gate.stopProducing()


def send_at_once(connection: Any) -> None:
    """Have what is written to this connection sent in the same moment, while its client keeps up.

    Twisted only notes it, asks the loop to tell when the socket takes data, sends in the loop's next round and takes
    the question back: for a token that is half of all work, and it comes later. What the socket does not take, and
    every failure, goes that way still.
    """
    if not isinstance(connection, Connection) or "startWriting" in vars(connection):
        return
    transport: Any = connection  # Twisted's types would have us call a typed function only
    when_ready = transport.startWriting

    def start_writing() -> None:
        if transport.dataBuffer or transport.doWrite() is not None or transport.dataBuffer:
            when_ready()

    transport.startWriting = start_writing


@implementer(IPushProducer)
class Gate:
    """Shut while a connection's buffer is full. Twisted calls the methods of `IPushProducer`.

    With `pauses_reading`, nothing is taken from the client meanwhile either: what it asks for could not be answered.
    """

    def __init__(self, transport: Any, *, pauses_reading: bool) -> None:
        self._transport, self._pauses_reading = transport, pauses_reading
        self._event = asyncio.Event()
        self._event.set()
        with suppress(AttributeError, OSError):  # not on every system, and not for every kind of socket
            line: socket.socket = transport.getHandle()
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, KERNEL_KEEPS_BYTES)

    @property
    def is_open(self) -> bool:
        """Whether there is room for more."""
        return self._event.is_set()

    async def opened(self) -> None:
        """Wait for room; cut the client off where there is none for too long."""
        try:
            async with asyncio.timeout(STALLED_S):
                await self._event.wait()
        except TimeoutError:
            logger.info("reader_stalled", peer=str(self._transport.getPeer()))
            self._transport.abortConnection()

    def pauseProducing(self) -> None:
        """The buffer is full."""
        self._event.clear()
        if self._pauses_reading:
            self._transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The buffer is empty."""
        self._event.set()
        if self._pauses_reading:
            self._transport.resumeProducing()

    def stopProducing(self) -> None:
        """The connection ends; what is sent now goes nowhere."""
        self._event.set()


class WebServer(CommandLineInterface):  # type: ignore[misc]  # Daphne has no types
    """Daphne's command with our server."""

    server_class = WaitingServer


if __name__ == "__main__":
    WebServer.entrypoint()
