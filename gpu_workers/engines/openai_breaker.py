"""The circuit breaker before a server: after some failures in a row it is left alone for a while."""

from __future__ import annotations

import time

from purgatory.domain.model import HALF_OPENED, Context, OpenedState


class CircuitOpen(Exception):
    """The server is paused for about `wait_s` more seconds."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"paused for another {wait_s:.0f} s")
        self.wait_s = wait_s


class Breaker:
    """purgatory's state machine with one probe at a time after the pause.

    Who was admitted reports exactly one verdict: `succeeded`, `failed`, or `withdrawn` when neither is known.
    Belongs to one thread.
    """

    def __init__(self, name: str, *, failures: int, pause_s: float) -> None:
        self._context = Context(name, failures, pause_s)
        self._pause_s = pause_s
        self._probing = False

    def admit(self) -> None:
        """Raises CircuitOpen while the server is paused, or while its first request after a pause runs."""
        if self._probing:
            raise CircuitOpen(1.0)
        try:
            self._context.handle_new_request()
        except OpenedState as state:
            raise CircuitOpen(max(0.0, state.opened_at + self._pause_s - time.time())) from None
        self._probing = self._context.state == HALF_OPENED
        self._forget_messages()

    def succeeded(self) -> None:
        """The server answered, be it with a refusal: it lives."""
        self._probing = False
        self._context.handle_end_request()
        self._forget_messages()

    def failed(self, error: Exception) -> None:
        """The server did not answer, answered with a server error or broke off."""
        self._probing = False
        self._context.handle_exception(error)
        self._forget_messages()

    def withdrawn(self) -> None:
        """The request ended before the server showed how it is."""
        self._probing = False

    def _forget_messages(self) -> None:
        # purgatory collects them for its message bus, which nothing here listens to.
        self._context.messages.clear()
