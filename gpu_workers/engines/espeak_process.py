"""eSpeak NG in a process of its own: `python -m gpu_workers.engines.espeak_process`.

The library is GPL, keeps all its state in globals and may crash on odd input. So the worker talks to it over pipes, and
each request is answered by a fork of the loaded process: every phrase starts from the same fresh state and sounds
the same whatever was said before, and a crash takes only its own phrase with it. Imports nothing heavy.

A frame, either way, is two big-endian 32-bit lengths, JSON, and bytes (samples, 16 bit little-endian).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import json
import os
import signal
import struct
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

JSON = dict[str, Any]

# A phrase takes milliseconds; one that takes this long is stuck.
PHRASE_TIMEOUT_S = 20
MAX_FRAME = 256 << 20
_HEAD = struct.Struct(">II")


class Frame(NamedTuple):
    """A request or an answer: what it says, and samples."""

    header: JSON
    blob: bytes = b""


def pack(header: Mapping[str, Any], blob: bytes = b"") -> bytes:
    """The bytes of a frame."""
    text = json.dumps(header, ensure_ascii=False).encode()
    return _HEAD.pack(len(text), len(blob)) + text + blob


def read_frame(read: Callable[[int], bytes]) -> Frame | None:
    """The next frame, or None at the end of the stream. `read(n)` gives 1 to n bytes, none at the end.

    Raises EOFError when the stream ends inside a frame, ValueError for one that is no frame.
    """
    first = read(_HEAD.size)
    if not first:
        return None
    lengths = _HEAD.unpack(first + _exactly(read, _HEAD.size - len(first)))
    if sum(lengths) > MAX_FRAME:
        raise ValueError(f"a frame of {sum(lengths)} bytes; {MAX_FRAME} is the limit")
    return Frame(json.loads(_exactly(read, lengths[0])), _exactly(read, lengths[1]))


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    pieces = []
    while size:
        piece = read(size)
        if not piece:
            raise EOFError("the stream ended inside a frame")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


# --- the library, as espeak-ng/speak_lib.h declares it

_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000  # give a status back instead of calling exit()
_UTF8 = 1
_POSITION_CHARACTER = 1
_RATE, _VOLUME, _PITCH = 1, 2, 3
_EVENT_END, _EVENT_WORD, _EVENT_CLAUSE_END = 0, 1, 5
_IPA = 0x02
_SEED = 1


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Library:
    """The loaded eSpeak NG. `answer` changes its global state: call it in a fork."""

    def __init__(self) -> None:
        path, data = _find_library()
        self._library = ctypes.CDLL(path)
        if data is not None:
            # The library keeps at most 160 bytes of path, and an environment may lie deeper: go there instead.
            os.chdir(data.parent)
        self.rate: int = self._library.espeak_Initialize(
            _SYNCHRONOUS, 0, b"." if data is not None else None, _DONT_EXIT
        )
        if self.rate <= 0:
            raise OSError(f"eSpeak NG found no usable voice data{f' in {data}' if data else ''}")
        self._library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        # Whispering voices take their noise from the C library's generator.
        ctypes.CDLL(None).srand(_SEED)

    def answer(self, request: JSON) -> Frame:
        """What answers a request; `error` in it when it cannot be met."""
        operation = {"voices": self._voices, "speak": self._speak, "phonemes": self._phonemes}[request["op"]]
        return operation(request)

    def _voices(self, _request: JSON) -> Frame:
        return Frame({"voices": list(self._list(None)), "variants": list(self._list(b"variant"))})

    def _list(self, language: bytes | None) -> Iterator[JSON]:
        text = ctypes.create_string_buffer(language) if language else None
        wanted = ctypes.byref(_Voice(languages=ctypes.addressof(text))) if text else None
        voices = self._library.espeak_ListVoices(wanted)
        index = 0
        while voices[index]:
            voice = voices[index].contents
            # The languages are a priority byte and a text, each; the first is the main one.
            main = ctypes.string_at(voice.languages + 1) if voice.languages else b""
            yield {
                "name": voice.name.decode(errors="replace"),
                "language": main.decode(errors="replace"),
                "identifier": voice.identifier.decode(errors="replace"),
                "gender": {1: "male", 2: "female"}.get(voice.gender, ""),
            }
            index += 1

    def _speak(self, request: JSON) -> Frame:
        if self._library.espeak_SetVoiceByName(request["voice"].encode()) != 0:
            return Frame({"error": "unknown_voice"})
        for parameter, name in ((_RATE, "words_per_minute"), (_PITCH, "pitch"), (_VOLUME, "volume")):
            self._library.espeak_SetParameter(parameter, request[name], 0)
        pieces: list[bytes] = []
        words: list[tuple[int, int]] = []
        ends: list[int] = []

        def take(samples: Any, count: int, events: Any) -> int:
            if samples and count > 0:
                pieces.append(ctypes.string_at(samples, 2 * count))
            index = 0
            while (event := events[index]).type != _EVENT_END:
                if event.type == _EVENT_WORD:
                    words.append((event.text_position - 1, event.sample))
                elif event.type == _EVENT_CLAUSE_END:
                    ends.append(event.sample)
                index += 1
            return 0

        callback = _Callback(take)
        self._library.espeak_SetSynthCallback(callback)
        text = request["text"].encode() + b"\0"
        status = self._library.espeak_Synth(text, len(text), 0, _POSITION_CHARACTER, 0, _UTF8, None, None)
        if status != 0:
            return Frame({"error": "not_spoken"})
        return Frame({"rate": self.rate, "words": words, "ends": ends}, _little_endian(b"".join(pieces)))

    def _phonemes(self, request: JSON) -> Frame:
        if self._library.espeak_SetVoiceByName(request["voice"].encode()) != 0:
            return Frame({"error": "unknown_voice"})
        clauses = []
        text = ctypes.c_char_p(request["text"].encode())
        while text.value is not None:
            phonemes = self._library.espeak_TextToPhonemes(ctypes.byref(text), _UTF8, _IPA | ord("_") << 8)
            clauses.append((phonemes or b"").decode(errors="replace"))
        return Frame({"clauses": clauses})


def _find_library() -> tuple[str, Path | None]:
    """The library and its data: from the espeakng-loader package, else the system's, which knows its data."""
    package = find_spec("espeakng_loader")
    if package is not None and package.origin:
        folder = Path(package.origin).parent
        data = folder / "espeak-ng-data"
        for path in (*folder.glob("libespeak-ng.so*"), *folder.glob("libespeak-ng*.dylib")):
            if data.is_dir():
                return str(path), data
    return ctypes.util.find_library("espeak-ng") or "libespeak-ng.so.1", None


def _little_endian(samples: bytes) -> bytes:
    if sys.byteorder == "little":
        return samples
    count = len(samples) // 2
    return struct.pack(f"<{count}h", *struct.unpack(f"={count}h", samples))


# --- the process


def main() -> None:
    """Answer the frames on standard input until it ends, which it does when the worker is gone."""
    # The group's Ctrl-C is for the worker, which drains and then closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever the library prints must not get between the frames.
    answers = os.dup(1)
    os.dup2(2, 1)
    try:
        library = Library()
    except (OSError, AttributeError) as error:
        _write(answers, pack({"error": "no_library", "detail": str(error)}))
        return
    _write(answers, pack({"ready": True}))
    while (request := read_frame(lambda size: os.read(0, size))) is not None:
        status = _in_fork(functools.partial(_answer, library, request.header, answers))
        if status != 0:
            _write(answers, pack({"id": request.header["id"], "error": "crashed", "signal": -status}))


def _answer(library: Library, request: JSON, answers: int) -> None:
    answer = library.answer(request)
    # The id tells the worker whose answer it is: a fork may still crash when it has answered.
    _write(answers, pack({**answer.header, "id": request["id"]}, answer.blob))


def _in_fork(action: Callable[[], None]) -> int:
    """Run `action` in a fork with a time limit; 0 when it went well, else its signal below zero, or its exit code."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(PHRASE_TIMEOUT_S)
            action()
            status = 0
        except Exception:  # noqa: BLE001  the edge of the fork: the reason goes to the worker's log
            traceback.print_exc()
        finally:
            # Not sys.exit: what the parent registered to run at its end is not the fork's.
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    main()
