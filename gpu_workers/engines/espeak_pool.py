"""The worker's side of eSpeak NG's own processes: a small pool, started when first needed, replaced when one dies."""

from __future__ import annotations

import logging
import os
import queue
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpu_workers.engines.base import EngineError
from gpu_workers.engines.espeak_process import PHRASE_TIMEOUT_S, Frame, pack, read_frame

log = logging.getLogger(__name__)

_MODULE = "gpu_workers.engines.espeak_process"
_ROOT = Path(__file__).parents[2]
# The process itself gives up on a phrase first; this is for a process that no longer does anything.
ANSWER_TIMEOUT_S = PHRASE_TIMEOUT_S + 10.0
# Measured: an idle process and the data it has loaded.
PROCESS_BYTES = 14 << 20


class _ProcessDied(Exception):
    """The pipe to a process broke, or it stopped answering."""


@dataclass(frozen=True, slots=True)
class EspeakVoice:
    """A voice, or a variant of every voice (then without language), as eSpeak NG lists it."""

    name: str
    language: str
    identifier: str
    gender: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """Spoken samples (16 bit little-endian mono) with the events: words as (character, sample), and clause ends."""

    samples: bytes
    rate: int
    words: tuple[tuple[int, int], ...]
    clause_ends: tuple[int, ...]


class EspeakPool:
    """Up to `size` processes; safe to use from many threads, which wait for a free one."""

    def __init__(self, size: int = 2) -> None:
        self.size = size
        self._free: queue.LifoQueue[_Process | None] = queue.LifoQueue()
        for _ in range(size):
            self._free.put(None)
        self._lists: tuple[tuple[EspeakVoice, ...], tuple[EspeakVoice, ...]] | None = None
        self._lists_lock = threading.Lock()

    def voices(self) -> tuple[EspeakVoice, ...]:
        """All voices. Raises EngineError `espeak_missing` when there is no library."""
        return self._listed()[0]

    def variants(self) -> tuple[EspeakVoice, ...]:
        """The timbres that any voice can take: `identifier` is what follows the `+`."""
        return self._listed()[1]

    def speak(self, text: str, *, voice: str, words_per_minute: int, pitch: int, volume: int) -> Phrase:
        """Speak a phrase; `pitch` is 0 to 99 around 50, `volume` 0 to 200 around 100.

        Raises EngineError `espeak_crashed` or `espeak_failed`.
        """
        answer = self._ask(
            {
                "op": "speak",
                "text": text,
                "voice": voice,
                "words_per_minute": words_per_minute,
                "pitch": pitch,
                "volume": volume,
            }
        )
        return Phrase(
            answer.blob,
            answer.header["rate"],
            tuple((position, sample) for position, sample in answer.header["words"]),
            tuple(answer.header["ends"]),
        )

    def phonemes(self, text: str, voice: str) -> list[str]:
        """The IPA of each clause of the text, phonemes separated by `_`. Raises EngineError like `speak`."""
        return list(self._ask({"op": "phonemes", "text": text, "voice": voice}).header["clauses"])

    def close(self) -> None:
        """End the processes; none is in use then."""
        for _ in range(self.size):
            process = self._free.get()
            if process is not None:
                process.end()
            self._free.put(None)

    def _listed(self) -> tuple[tuple[EspeakVoice, ...], tuple[EspeakVoice, ...]]:
        with self._lists_lock:
            if self._lists is None:
                header = self._ask({"op": "voices"}).header
                self._lists = (
                    tuple(EspeakVoice(**voice) for voice in header["voices"]),
                    tuple(
                        EspeakVoice(**{**voice, "identifier": voice["identifier"].removeprefix("!v/")})
                        for voice in header["variants"]
                    ),
                )
            return self._lists

    def _ask(self, request: dict[str, Any]) -> Frame:
        """Ask one process; when it has died, a new one, once."""
        for again in (True, False):
            try:
                with self._process() as process:
                    answer = process.ask(request)
            except _ProcessDied as death:
                log.warning("an eSpeak NG process died: %s", death)
                if again:
                    continue
                raise EngineError(
                    "espeak_failed", "The eSpeak NG process died twice; try the job again.", retryable=True
                ) from death
            return _checked(answer, request)
        raise AssertionError("the loop returns or raises")

    @contextmanager
    def _process(self) -> Iterator[_Process]:
        process = self._free.get()
        try:
            if process is None or not process.is_alive():
                if process is not None:
                    process.end()
                process = None
                process = _Process()
            yield process
        except _ProcessDied:
            if process is not None:
                process.end()
            process = None
            raise
        finally:
            self._free.put(process)


def _checked(answer: Frame, request: dict[str, Any]) -> Frame:
    match answer.header.get("error"):
        case None:
            return answer
        case "crashed":
            shown = request.get("text", "")[:60]
            raise EngineError(
                "espeak_crashed",
                f"eSpeak NG could not speak {shown!r} with voice {request.get('voice')!r}: it crashed or took "
                f"more than {PHRASE_TIMEOUT_S} s. Leave the sentence out, or take another voice.",
            )
        case "unknown_voice":
            raise EngineError("unknown_voice", f"eSpeak NG has no voice {request.get('voice')!r}.")
        case error:
            raise EngineError(
                "espeak_failed", f"eSpeak NG did not do it ({error}); try the job again.", retryable=True
            )


class _Process:
    """One process with its pipes; used by one thread at a time."""

    def __init__(self) -> None:
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": path},
            # A signal to the worker's group must not end it while the worker finishes its jobs.
            start_new_session=True,
        )
        self._deadline_s = 0.0
        self._asked = 0
        greeting = self._receive()
        if "error" in greeting.header:
            self.end()
            raise EngineError(
                "espeak_missing",
                f"eSpeak NG could not be loaded ({greeting.header.get('detail')}). "
                "Install the Python package espeakng-loader or the system package libespeak-ng1.",
            )

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: dict[str, Any]) -> Frame:
        assert self._process.stdin is not None  # noqa: S101  it was made with a pipe
        self._asked += 1
        try:
            left = memoryview(pack({**request, "id": self._asked}))
            while left:
                left = left[self._process.stdin.write(left) or 0 :]
        except OSError as error:
            raise _ProcessDied(str(error)) from error
        while (answer := self._receive()).header["id"] != self._asked:
            log.warning("an eSpeak NG process crashed after it had answered")
        return answer

    def end(self) -> None:
        """Close the pipes, which ends it, and make sure."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _receive(self) -> Frame:
        self._deadline_s = time.monotonic() + ANSWER_TIMEOUT_S
        try:
            frame = read_frame(self._read)
        except (EOFError, ValueError, OSError) as error:
            raise _ProcessDied(str(error)) from error
        if frame is None:
            raise _ProcessDied("it ended")
        return frame

    def _read(self, size: int) -> bytes:
        assert self._process.stdout is not None  # noqa: S101  it was made with a pipe
        descriptor = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(max(0.0, self._deadline_s - time.monotonic()) * 1000):
            self._process.kill()
            raise _ProcessDied(f"no answer within {ANSWER_TIMEOUT_S:g} s")
        return os.read(descriptor, size)
