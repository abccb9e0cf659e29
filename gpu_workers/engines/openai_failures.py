"""What can go wrong with a server, as exceptions and as sentences for the people who wait for its answer."""

from __future__ import annotations

import json
import math
import os
import re
import socket
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from gpu_workers.engines.base import EngineError
from gpu_workers.engines.openai_breaker import CircuitOpen
from gpu_workers.engines.openai_options import Endpoint, Options
from gpu_workers.engines.openai_stream import upstream_error

MAX_MESSAGE = 500
# Not the server's fault, and the same request could work a moment later.
PASSING_STATUSES = frozenset({408, 425, 429})
# OpenAI, DeepSeek, vLLM, SGLang and llama.cpp have no code for it in common, but this word.
TOO_LONG = re.compile(r"context[ _](?:length|size|window)", re.IGNORECASE)
KEY_LIKE = re.compile(r"(?:\b(?:sk|pk|hf|key)[-_]|\bBearer\s+)[\w*.\-]{6,}")


class TryFailed(Exception):
    """One try did not work, and another could.

    `code` and the message are for the job, should this have been the last try. `wait_s` is what the server
    asked for.
    """

    def __init__(self, code: str, message: str, *, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.wait_s = code, message, wait_s


class Paused(TryFailed):
    """The breaker is open: no try was made, and none helps for now."""


class Failures:
    """Makes the exceptions of one model's servers. No message holds a key, not even a server's own words."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def refused(
        self, endpoint: Endpoint, status: int, message: str, wait_s: float | None = None
    ) -> TryFailed | EngineError:
        """The server answered with an error status."""
        said = self.clean(message)
        if status in PASSING_STATUSES:
            when = "" if wait_s is None else f" It asks to wait {wait_s:.0f} s."
            sentence = f"The server {endpoint.name} takes no more requests now ({status}): {said}{when}"
            return TryFailed("upstream_busy", sentence, wait_s=wait_s)
        if status >= 500:
            sentence = f"The server {endpoint.name} failed ({status}): {said}"
            return TryFailed("upstream_unavailable", sentence, wait_s=wait_s)
        if status in (401, 403):
            return EngineError(
                "upstream_denied",
                f"The server {endpoint.name} did not accept the key of model {self._options.model_id} "
                f"({status}): {said} An administrator can check the variable that api_key_env names.",
            )
        if TOO_LONG.search(message):
            return EngineError(
                "context_too_long",
                f"The conversation is longer than model {self._options.model_id} takes: {said}",
            )
        if 300 <= status < 400:
            said = "it answers with a redirect; set the address it redirects to as the model's source."
        return EngineError(
            "upstream_refused", f"The server {endpoint.name} refused the request ({status}): {said}"
        )

    def unreachable(self, endpoint: Endpoint, error: aiohttp.ClientError) -> TryFailed:
        """No connection came about."""
        reason = f"no connection within {self._options.connect_timeout_s:g} s"
        if isinstance(error, aiohttp.ClientConnectorError):
            reason = _reason_of(error.os_error)
        return TryFailed(
            "upstream_unavailable", f"The server {endpoint.name} cannot be reached: {self.clean(reason)}."
        )

    def broken(self, endpoint: Endpoint, reason: str, *, started: bool) -> TryFailed:
        """The connection ended too early, or what came over it made no sense."""
        reason = self.clean(reason)
        if started:
            sentence = f"The server {endpoint.name} broke off in the middle of the answer: {reason}"
            return TryFailed("upstream_broken", sentence)
        return TryFailed("upstream_unavailable", f"The server {endpoint.name} gave no answer: {reason}")

    def timeout(self, endpoint: Endpoint, *, started: bool) -> TryFailed:
        """No token came for too long."""
        if started:
            silence = self._options.idle_timeout_s
            sentence = f"The server {endpoint.name} fell silent for {silence:g} s within the answer."
        else:
            waited = self._options.first_token_timeout_s
            sentence = f"The server {endpoint.name} gave no first token within {waited:g} s."
        return TryFailed("upstream_timeout", sentence)

    def paused(self, endpoint: Endpoint, state: CircuitOpen) -> Paused:
        """The breaker lets nothing through."""
        return Paused(
            "upstream_unavailable",
            f"The server {endpoint.name} behind model {self._options.model_id} failed "
            f"{self._options.breaker_failures} times in a row and is left alone for another "
            f"{math.ceil(state.wait_s)} s. Try again then.",
        )

    def clean(self, message: str) -> str:
        """A server's words: short, on one line and without anything like a key."""
        for endpoint in self._options.endpoints:
            if endpoint.key:
                message = message.replace(endpoint.key, "[key]")
        message = " ".join(KEY_LIKE.sub("[key]", message).split())
        return message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…"


def _reason_of(error: OSError) -> str:
    # asyncio puts the address where the reason belongs; only a failed name look-up has its own words.
    if isinstance(error, socket.gaierror) or not error.errno:
        return error.strerror or str(error)
    return os.strerror(error.errno)


def message_in(raw: bytes) -> str:
    """What the body of an error answer says to a reader."""
    text = raw.decode(errors="replace").strip()
    try:
        body = json.loads(text)
    except ValueError:
        return "no reason given" if not text or text.startswith("<") else text
    if not isinstance(body, dict):
        return text
    return upstream_error(body.get("error") or body.get("detail") or body).message


def retry_after_s(header: str | None) -> float | None:
    """Seconds from a Retry-After header, be it seconds or a date; None where it says nothing."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
