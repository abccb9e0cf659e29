"""What all voices share: a job becomes sentences, each is spoken and given away, at the end all are one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from gpu_workers.contract.messages import VoiceParams
from gpu_workers.engines import sentences, ssml
from gpu_workers.engines.audio import MEDIA_TYPES, Clip, encode, from_wav, gain, join, silence, to_wav
from gpu_workers.engines.base import (
    Chunk,
    DoneChunk,
    EngineError,
    FileChunk,
    Request,
    Resume,
    SpeechChunk,
    SpokenSentence,
    StepChunk,
)
from gpu_workers.engines.sentences import Part, Pause, Sentence, Span, Style

MAX_CHARACTERS = 50_000
# The file travels through Redis, which takes 64 MB at most.
MAX_FILE_BYTES = 60 << 20
# What a listener still understands; the factors of the job.
SPEEDS = (0.5, 4.0)
PITCHES = (0.5, 2.0)
VOLUMES = (0.0, 2.0)

Speak = Callable[[Sentence, int], Clip]


def speak_all(
    request: Request, script: Sequence[Sentence], speak: Speak, rate: int
) -> Iterator[tuple[Request, Chunk]]:
    """Speak the sentences of a request that an earlier attempt has not spoken; then give the file and the end.

    `speak` gives the clip of a sentence at `rate` Hz, without the pause after it. A request that is stopped gets
    the file of the sentences until then.
    """
    params = voice_params(request)
    clips: list[Clip] = []
    duration_s = 0.0
    for index, sentence in enumerate(script):
        clip = _spoken_before(request.resume, index, sentence.text, rate)
        if clip is None:
            if request.stopped():
                break
            clip = _finished(speak(sentence, index), sentence, params)
            yield request, SpeechChunk(index, sentence.text, to_wav(clip), clip.duration_s, clip.word_times())
            yield request, StepChunk(index + 1, len(script), "sentences")
        clips.append(clip)
        duration_s += clip.duration_s
        _check_duration(duration_s, rate, params.format)
    if not clips:
        return  # stopped before the first word
    whole = join(clips)
    about = {"duration_s": round(whole.duration_s, 3), "words": whole.word_times()}
    yield request, FileChunk(encode(whole, params.format), MEDIA_TYPES[params.format], about)
    if request.stopped():
        return
    characters = sum(len(sentence.text) for sentence in script)
    yield request, DoneChunk({"characters": characters, "seconds": round(whole.duration_s, 3)})


def voice_params(request: Request) -> VoiceParams:
    """The request's parameters. Raises TypeError for another medium's: that is a mistake in the program."""
    if not isinstance(request.params, VoiceParams):
        raise TypeError(f"a voice got {type(request.params).__name__}")
    return request.params


def read_script(params: VoiceParams) -> list[Sentence]:
    """The sentences to speak, at least one.

    Raises EngineError: `bad_params`, `bad_ssml`, `too_long` or `nothing_to_say`.
    """
    _check_factors(params)
    if params.format not in MEDIA_TYPES:
        raise EngineError(
            "bad_params", f"format is {params.format!r}; choose one of {', '.join(MEDIA_TYPES)}."
        )
    if params.text and params.ssml:
        raise EngineError("bad_params", "A voice job has either text or ssml, not both; leave one out.")
    if len(params.text or "") > MAX_CHARACTERS:
        _too_long(len(params.text or ""))
    script = ssml.parse(params.ssml) if params.ssml else sentences.from_text(params.text or "")
    characters = sum(len(sentence.text) for sentence in script)
    if characters > MAX_CHARACTERS:
        _too_long(characters)
    if not script:
        raise EngineError(
            "nothing_to_say", "The text has no letter, digit or symbol to speak; write at least one word."
        )
    return script


def _too_long(characters: int) -> None:
    raise EngineError(
        "too_long",
        f"The text has {characters} characters; {MAX_CHARACTERS} is the limit. Send it in several jobs.",
    )


def _check_factors(params: VoiceParams) -> None:
    for name, value, (low, high) in (
        ("speed", params.speed, SPEEDS),
        ("pitch", params.pitch, PITCHES),
        ("volume", params.volume, VOLUMES),
    ):
        if not low <= value <= high:
            raise EngineError("bad_params", f"{name} is {value:g}; it must be from {low:g} to {high:g}.")


def phrases(sentence: Sentence, key: Callable[[Style], object]) -> Iterator[Pause | tuple[Span, ...]]:
    """The sentence as runs of spans that are spoken in one go (of equal `key`), and the pauses between them."""

    def run_of(part: Part) -> object:
        return id(part) if isinstance(part, Pause) else key(part.style)

    for _, run in groupby(sentence.parts, run_of):
        parts = list(run)
        if isinstance(parts[0], Pause):
            yield parts[0]
        else:
            yield tuple(part for part in parts if isinstance(part, Span))


def _finished(clip: Clip, sentence: Sentence, params: VoiceParams) -> Clip:
    """With its volume, and the pause after it: a player that plays one chunk after the other hears the file."""
    return join([gain(clip, params.volume), silence(sentence.pause_s / params.speed, clip.rate)])


def _spoken_before(resume: Resume, index: int, text: str, rate: int) -> Clip | None:
    """What an earlier attempt made of a sentence; None when it made none, or of another text or by another voice."""
    for spoken in resume.sentences:
        if spoken.index == index and spoken.text == text:
            return _read(spoken, rate)
    return None


def _read(spoken: SpokenSentence, rate: int) -> Clip | None:
    try:
        clip = from_wav(spoken.wav)
    except ValueError:
        return None
    return clip if clip.rate == rate else None


def _check_duration(duration_s: float, rate: int, format_: str) -> None:
    if format_ == "wav" and duration_s * rate * 2 > MAX_FILE_BYTES:
        raise EngineError(
            "too_long",
            f"The speech is longer than {duration_s // 60:.0f} minutes, and a WAV file may have "
            f"{MAX_FILE_BYTES >> 20} MB; ask for mp3 or ogg, or send the text in several jobs.",
        )
