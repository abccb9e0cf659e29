"""Speech as samples: WAV with marked words, MP3 and OGG, joining and loudness.

MP3 and OGG come from the libsndfile that the soundfile package carries, so no ffmpeg has to be there.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from gpu_workers.contract.events import SpokenWord
from gpu_workers.engines.base import EngineError

MEDIA_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg", "ogg": "audio/ogg"}
_SUBTYPES = {"mp3": ("MP3", "MPEG_LAYER_III"), "ogg": ("OGG", "VORBIS")}

FULL_SCALE = 32767
# Above this share of full scale louder speech is bent softly instead of cut off hard.
KNEE = 0.7
# libsndfile's Vorbis encoder keeps a whole write on its stack.
BLOCK_SAMPLES = 1 << 16
# Quieter than this (-46 dB of full scale) nothing of a word is heard.
AUDIBLE = 160


@dataclass(frozen=True, slots=True)
class Word:
    """Where a word is heard, in samples."""

    text: str
    start: int
    length: int


@dataclass(frozen=True, eq=False, slots=True)
class Clip:
    """Mono speech: `samples` [n] at `rate` Hz."""

    samples: NDArray[np.int16]
    rate: int
    words: tuple[Word, ...] = ()

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate

    def word_times(self) -> list[SpokenWord]:
        """The words as an artifact tells them: text, start_s, end_s."""
        return [
            {
                "text": word.text,
                "start_s": round(word.start / self.rate, 3),
                "end_s": round((word.start + word.length) / self.rate, 3),
            }
            for word in self.words
        ]


def silence(seconds: float, rate: int) -> Clip:
    """A clip in which nothing is heard."""
    return Clip(np.zeros(round(seconds * rate), np.int16), rate)


def from_float(samples: NDArray[np.floating[Any]], rate: int) -> Clip:
    """A clip of samples between -1 and 1; what lies outside is cut off."""
    return Clip(np.rint(np.clip(samples, -1, 1) * FULL_SCALE).astype(np.int16), rate)


def join(clips: Sequence[Clip]) -> Clip:
    """The clips one after the other. Raises ValueError when there is none, or their rates differ."""
    if len({clip.rate for clip in clips}) != 1:
        raise ValueError(f"clips of one rate can be joined, not of {sorted({clip.rate for clip in clips})}")
    return Clip(np.concatenate([clip.samples for clip in clips]), clips[0].rate, tuple(_shifted_words(clips)))


def _shifted_words(clips: Sequence[Clip]) -> Iterator[Word]:
    offset = 0
    for clip in clips:
        yield from (replace(word, start=word.start + offset) for word in clip.words)
        offset += len(clip.samples)


def gain(clip: Clip, factor: float) -> Clip:
    """The clip with its amplitude times `factor`, bent softly near full scale."""
    if factor == 1:
        return clip
    loud = clip.samples.astype(np.float32) * (factor / FULL_SCALE)
    over = np.abs(loud) > KNEE
    bent = KNEE + (1 - KNEE) * np.tanh((np.abs(loud[over]) - KNEE) / (1 - KNEE))
    loud[over] = np.copysign(bent, loud[over])
    return replace(clip, samples=np.rint(loud * FULL_SCALE).astype(np.int16))


def heard_end(samples: NDArray[np.int16], start: int, end: int) -> int:
    """Where the last audible sample of `samples[start:end]` ends; `start` when there is none."""
    audible = np.flatnonzero(np.abs(samples[start:end].astype(np.int32)) > AUDIBLE)
    return start + int(audible[-1]) + 1 if audible.size else start


# --- files


def encode(clip: Clip, format_: str) -> bytes:
    """The clip as a file: `wav` (with its words marked), `mp3` or `ogg`.

    Raises EngineError `format_unsupported` for another format, or a rate that the format does not have.
    """
    if format_ == "wav":
        return to_wav(clip)
    if format_ not in _SUBTYPES:
        raise EngineError(
            "format_unsupported",
            f"Audio format {format_!r} is not known; choose one of {', '.join(MEDIA_TYPES)}.",
        )
    container, subtype = _SUBTYPES[format_]
    buffer = io.BytesIO()
    try:
        with soundfile.SoundFile(buffer, "w", clip.rate, 1, subtype, format=container) as file:
            for start in range(0, len(clip.samples), BLOCK_SAMPLES):
                file.write(clip.samples[start : start + BLOCK_SAMPLES])
    except soundfile.LibsndfileError as error:
        raise EngineError(
            "format_unsupported",
            f"Speech of {clip.rate} Hz cannot be written as {format_}: {error.error_string} Choose wav.",
        ) from error
    return buffer.getvalue()


def to_wav(clip: Clip) -> bytes:
    """A WAV file, 16 bit mono, its words as cue points with labels and lengths (RIFF `cue ` and `adtl`)."""
    data = clip.samples.astype("<i2").tobytes()
    chunks = [
        _chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, clip.rate, clip.rate * 2, 2, 16)),
        _chunk(b"data", data),
        *(_word_chunks(clip.words) if clip.words else ()),
    ]
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def from_wav(wav: bytes) -> Clip:
    """Read what `to_wav` wrote. Raises ValueError for anything else."""
    try:
        return _read_wav(wav)
    except (struct.error, KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"not a WAV file of speech: {error}") from error


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _word_chunks(words: Sequence[Word]) -> Iterator[bytes]:
    points = (
        struct.pack("<II4sIII", index, word.start, b"data", 0, 0, word.start)
        for index, word in enumerate(words, 1)
    )
    yield _chunk(b"cue ", struct.pack("<I", len(words)) + b"".join(points))
    labels = (
        _chunk(b"labl", struct.pack("<I", index) + word.text.encode() + b"\0")
        + _chunk(b"ltxt", struct.pack("<II4sHHHH", index, word.length, b"rgn ", 0, 0, 0, 0))
        for index, word in enumerate(words, 1)
    )
    yield _chunk(b"LIST", b"adtl" + b"".join(labels))


def _read_wav(wav: bytes) -> Clip:
    if wav[:4] != b"RIFF" or wav[8:12] != b"WAVE":
        raise ValueError("not a WAV file: it does not begin with RIFF and WAVE")
    chunks = dict(_chunks(wav, 12))
    coding, channels, rate, _, _, bits = struct.unpack("<HHIIHH", chunks[b"fmt "][:16])
    if (coding, channels, bits) != (1, 1, 16):
        raise ValueError(f"not 16 bit mono PCM: coding {coding}, {channels} channels, {bits} bits")
    samples = np.frombuffer(chunks[b"data"], "<i2").astype(np.int16)
    return Clip(samples, rate, tuple(_words(chunks)))


def _chunks(data: bytes, start: int) -> Iterator[tuple[bytes, bytes]]:
    while start + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, start)
        if start + 8 + size > len(data):
            raise ValueError(f"the WAV file ends inside its {name!r} chunk")
        yield name, data[start + 8 : start + 8 + size]
        start += 8 + size + size % 2


def _words(chunks: dict[bytes, bytes]) -> Iterator[Word]:
    if b"cue " not in chunks:
        return
    starts = {point[0]: point[5] for point in struct.iter_unpack("<II4sIII", chunks[b"cue "][4:])}
    texts: dict[int, str] = {}
    for name, data in _chunks(chunks[b"LIST"], 4):
        (index,) = struct.unpack_from("<I", data)
        if name == b"labl":
            texts[index] = data[4:].rstrip(b"\0").decode()
        elif name == b"ltxt":
            yield Word(texts[index], starts[index], struct.unpack_from("<I", data, 4)[0])
