"""eSpeak NG, for real: every language at once, in a process that may die, always the same samples."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from gpu_workers.contract.messages import ModelSpec, Voice, VoiceParams
from gpu_workers.engines import espeak
from gpu_workers.engines.audio import from_wav
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
from gpu_workers.engines.espeak_pool import EspeakPool
from gpu_workers.engines.sentences import Style

THREE = "Hello brave new world. How are you today? I am fine, thank you."
SPEC = ModelSpec("espeak", "voice", "espeak")
KILLED = {"words_per_minute": 175, "pitch": 50, "volume": 100}


@pytest.fixture(scope="module")
def engine() -> Iterator[espeak.EspeakEngine]:
    engine = espeak.load(SPEC, lambda _progress: None)
    yield engine
    engine.close()


def speak(engine: espeak.EspeakEngine, **params: Any) -> list[Chunk]:
    return run(engine, Request(VoiceParams(**params)))


def run(engine: espeak.EspeakEngine, request: Request) -> list[Chunk]:
    chunks = []
    for owner, chunk in engine.generate([request]):
        assert owner is request
        assert not isinstance(chunk, EngineError)
        chunks.append(chunk)
    return chunks


def speech(chunks: list[Chunk]) -> list[SpeechChunk]:
    return [chunk for chunk in chunks if isinstance(chunk, SpeechChunk)]


def file(chunks: list[Chunk]) -> FileChunk:
    (found,) = [chunk for chunk in chunks if isinstance(chunk, FileChunk)]
    return found


def loudness(wav: bytes) -> float:
    return float(np.sqrt(np.mean(from_wav(wav).samples.astype(float) ** 2)))


def pitch_hz(wav: bytes) -> float:
    """The median over voiced pieces of 60 ms of the period that fits best, looked for between 70 and 350 Hz."""
    clip = from_wav(wav)
    size, low, high = int(0.06 * clip.rate), clip.rate // 350, clip.rate // 70
    found = []
    for at in range(0, len(clip.samples) - size, size // 2):
        piece = clip.samples[at : at + size].astype(float)
        correlation = np.correlate(piece, piece, "full")[size - 1 :] / np.arange(size, 0, -1)
        window = correlation[low:high]
        if correlation[0] > 1e6 and window.max() > 0.7 * correlation[0]:
            first_good = int(np.argmax(window > 0.9 * window.max()))
            found.append(
                clip.rate / (low + first_good + int(np.argmax(window[first_good : first_good + low // 2])))
            )
    return float(np.median(found))


def test_each_sentence_comes_as_a_wav_and_the_whole_as_one_file(engine: espeak.EspeakEngine) -> None:
    chunks = speak(engine, text=THREE, language="en")

    kinds = [type(chunk) for chunk in chunks]
    assert kinds == [SpeechChunk, StepChunk] * 3 + [FileChunk, DoneChunk]
    assert [chunk.text for chunk in speech(chunks)] == [
        "Hello brave new world.",
        "How are you today?",
        "I am fine, thank you.",
    ]
    assert [chunk for chunk in chunks if isinstance(chunk, StepChunk)][1] == StepChunk(2, 3, "sentences")
    joined = np.concatenate([from_wav(chunk.wav).samples for chunk in speech(chunks)])
    assert np.array_equal(from_wav(file(chunks).data).samples, joined)
    assert file(chunks).media_type == "audio/wav"
    assert file(chunks).about["duration_s"] == pytest.approx(len(joined) / 22050, abs=0.001)
    assert chunks[-1] == DoneChunk({"characters": 61, "seconds": file(chunks).about["duration_s"]})


def test_the_speech_is_audible_and_not_cut_off(engine: espeak.EspeakEngine) -> None:
    for text in (THREE, "你好，世界。今天天气很好！"):
        for chunk in speech(speak(engine, text=text)):
            samples = from_wav(chunk.wav).samples.astype(int)
            assert 1.0 < chunk.duration_s < 3.5
            assert 1500 < loudness(chunk.wav) < 9000
            assert np.mean(np.abs(samples) >= 32767) < 0.001
            # It begins at once and ends with the pause between sentences.
            assert np.flatnonzero(np.abs(samples) > 300)[0] < 22050 // 5
            assert not samples[-22050 // 5 :].any()


def test_words_have_their_times(engine: espeak.EspeakEngine) -> None:
    words = file(speak(engine, text="It costs $3.50 in 2024. Yes.", language="en")).about["words"]

    assert [word["text"] for word in words] == ["It", "costs", "$3.50", "in", "2024", "Yes"]
    assert all(word["start_s"] < word["end_s"] for word in words)
    assert all(one["end_s"] <= two["start_s"] for one, two in pairwise(words))


def loud_parts(wav: bytes, level: float = 500) -> list[tuple[float, float]]:
    """Start and end in seconds of each stretch that is heard; a silence below 60 ms does not part it."""
    clip = from_wav(wav)
    size = clip.rate // 100
    frames = clip.samples[: len(clip.samples) // size * size].reshape(-1, size).astype(float)
    heard = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > level)
    gaps = np.flatnonzero(np.diff(heard) > 6)
    starts, ends = heard[[0, *(gaps + 1)]], heard[[*gaps, len(heard) - 1]]
    return [(start / 100, (end + 1) / 100) for start, end in zip(starts, ends, strict=True)]


@pytest.mark.parametrize(
    "ssml",
    [
        'One<break time="400ms"/> moon<break time="400ms"/> nine.',
        '<prosody rate="x-slow">One<break time="400ms"/> moon<break time="400ms"/> nine.</prosody>',
        '<lang xml:lang="zh">一<break time="400ms"/>二<break time="400ms"/>三。</lang>',
    ],
)
def test_words_are_where_they_are_heard(engine: espeak.EspeakEngine, ssml: str) -> None:
    """Pauses between the words part the sound: each stretch of it is a word's."""
    (chunk,) = speech(speak(engine, ssml=f"<speak>{ssml}</speak>"))
    heard = loud_parts(chunk.wav)
    assert len(heard) == len(chunk.words) == 3
    for word, (start_s, end_s) in zip(chunk.words, heard, strict=True):
        assert word["start_s"] == pytest.approx(start_s, abs=0.06)
        assert word["end_s"] == pytest.approx(end_s, abs=0.06)


def test_the_words_of_the_sentences_are_those_of_the_file(engine: espeak.EspeakEngine) -> None:
    chunks = speak(engine, text=THREE, speed=1.3)
    start_s, shifted = 0.0, []
    for chunk in speech(chunks):
        shifted += [
            (word["text"], pytest.approx(start_s + word["start_s"], abs=2e-3)) for word in chunk.words
        ]
        start_s += chunk.duration_s
    assert [(word["text"], word["start_s"]) for word in file(chunks).about["words"]] == shifted


def test_chinese_words_have_their_times(engine: espeak.EspeakEngine) -> None:
    words = file(speak(engine, text="你好，世界。我用Python。")).about["words"]

    assert "".join(word["text"] for word in words) == "你好世界我用Python"


def test_the_same_sentence_sounds_the_same_whatever_was_said_before(engine: espeak.EspeakEngine) -> None:
    first = speech(speak(engine, text=THREE))[1].wav
    speak(engine, ssml="<speak><prosody pitch='x-high' rate='fast'>别的</prosody></speak>")

    assert speech(speak(engine, text="Something else. How are you today?"))[1].wav == first


def test_sixteen_jobs_at_once_give_the_samples_of_one_alone(engine: espeak.EspeakEngine) -> None:
    texts = [f"This is job number {number}. 这是第{number}个任务。" for number in range(16)]
    alone = [file(speak(engine, text=text)).data for text in texts]
    together: dict[int, bytes] = {}

    def work(number: int) -> None:
        together[number] = file(speak(engine, text=texts[number])).data

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [together[number] for number in range(16)] == alone


def test_a_resumed_job_says_only_the_rest_and_makes_the_same_file(engine: espeak.EspeakEngine) -> None:
    whole = speak(engine, text=THREE)
    said = tuple(SpokenSentence(chunk.index, chunk.text, chunk.wav) for chunk in speech(whole)[:2])

    rest = run(engine, Request(VoiceParams(text=THREE), resume=Resume(sentences=said)))

    assert [chunk.index for chunk in speech(rest)] == [2]
    assert file(rest) == file(whole)
    assert rest[-1] == whole[-1]


def test_a_job_whose_sentences_were_all_said_only_makes_the_file(engine: espeak.EspeakEngine) -> None:
    whole = speak(engine, text=THREE)
    said = tuple(SpokenSentence(chunk.index, chunk.text, chunk.wav) for chunk in speech(whole))

    rest = run(engine, Request(VoiceParams(text=THREE), resume=Resume(sentences=said)))

    assert rest == whole[-2:]


def test_a_broken_earlier_sentence_is_said_again(engine: espeak.EspeakEngine) -> None:
    said = (SpokenSentence(0, "Hello brave new world.", b"RIFF"), SpokenSentence(1, "Another text.", b""))

    rest = run(engine, Request(VoiceParams(text=THREE), resume=Resume(sentences=said)))

    assert [chunk.index for chunk in speech(rest)] == [0, 1, 2]


def test_after_a_stop_only_the_file_of_what_was_said_comes(engine: espeak.EspeakEngine) -> None:
    stop = threading.Event()
    chunks: list[Any] = []
    for _, chunk in engine.generate([Request(VoiceParams(text=THREE), stopped=stop.is_set)]):
        chunks.append(chunk)
        if isinstance(chunk, StepChunk):
            stop.set()

    assert [type(chunk) for chunk in chunks] == [SpeechChunk, StepChunk, FileChunk]
    assert file(chunks).data == speech(chunks)[0].wav


def test_a_job_stopped_before_its_first_word_has_no_file(engine: espeak.EspeakEngine) -> None:
    assert list(engine.generate([Request(VoiceParams(text=THREE), stopped=lambda: True)])) == []


def test_speed_pitch_and_volume_do_what_they_say(engine: espeak.EspeakEngine) -> None:
    def wav(**params: float) -> bytes:
        return speech(speak(engine, text="This is a sentence of some length.", language="en", **params))[
            0
        ].wav

    plain = wav()
    assert from_wav(wav(speed=2.0)).duration_s == pytest.approx(from_wav(plain).duration_s / 2, rel=0.15)
    assert from_wav(wav(speed=0.5)).duration_s == pytest.approx(from_wav(plain).duration_s * 2, rel=0.15)
    assert pitch_hz(wav(pitch=1.5)) == pytest.approx(pitch_hz(plain) * 1.5, rel=0.2)
    assert loudness(wav(volume=0.5)) == pytest.approx(loudness(plain) / 2, rel=0.02)
    assert loudness(wav(volume=1.5)) > loudness(plain) * 1.25
    assert loudness(wav(volume=0)) == 0


@pytest.mark.parametrize(("format_", "media_type"), [("mp3", "audio/mpeg"), ("ogg", "audio/ogg")])
def test_other_formats_have_the_same_length(
    engine: espeak.EspeakEngine, format_: str, media_type: str
) -> None:
    chunks = speak(engine, text=THREE, format=format_)

    samples, rate = soundfile.read(io.BytesIO(file(chunks).data))
    assert file(chunks).media_type == media_type
    assert len(samples) / rate == pytest.approx(file(chunks).about["duration_s"], abs=0.06)


def test_ssml_changes_voice_speed_and_silence(engine: espeak.EspeakEngine) -> None:
    ssml = (
        '<speak>Hello <emphasis level="strong">big</emphasis> world.<break time="900ms"/> '
        '<lang xml:lang="de">Guten Tag</lang> my <voice name="f3">friend</voice></speak>'
    )

    chunks = speak(engine, ssml=ssml)

    assert [chunk.text for chunk in speech(chunks)] == ["Hello big world.", "Guten Tag my friend"]
    assert [word["text"] for word in file(chunks).about["words"]] == [
        "Hello",
        "big",
        "world",
        "Guten",
        "Tag",
        "my",
        "friend",
    ]
    first = from_wav(speech(chunks)[0].wav).samples
    assert not first[-int(1.1 * 22050) :].any()


def test_there_are_more_than_a_hundred_voices(engine: espeak.EspeakEngine) -> None:
    voices = engine.voices()

    assert len(voices) > 100
    assert len({voice.language for voice in voices}) > 100
    assert Voice("sit/cmn", "Chinese (Mandarin, latin as English)", "cmn") in voices


def test_every_language_is_offered_and_timbres_belong_to_all(engine: espeak.EspeakEngine) -> None:
    voices = engine.voices()
    assert {"cmn", "yue", "en-us", "de", "ja"} < set(engine.languages())
    assert {voice.language for voice in voices} == {"", *engine.languages()}
    assert Voice("f3", "female3", "") in voices
    assert file(speak(engine, text="Guten Tag", language="de", voice="f3")) != file(
        speak(engine, text="Guten Tag", language="de")
    )


@pytest.mark.parametrize(
    ("name", "voice"),
    [
        ("zh", "sit/cmn"),
        ("zh-CN", "sit/cmn"),
        ("zh_TW", "sit/cmn"),
        ("zh-HK", "sit/yue"),
        ("en", "gmw/en-US"),
        ("en-GB", "gmw/en"),
        ("en-AU", "gmw/en-US"),
        ("pt-BR", "roa/pt-BR"),
        ("de-AT", "gmw/de"),
        ("ja", "jpx/ja"),
    ],
)
def test_a_language_picks_its_voice(engine: espeak.EspeakEngine, name: str, voice: str) -> None:
    assert engine._choice.voice(Style(language=name)) == voice


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("今天天气很好", "zh"),
        ("今日はいい天気です", "ja"),
        ("안녕하세요", "ko"),
        ("Привет мир", "ru"),
        ("Hello world", "en"),
    ],
)
def test_a_text_without_a_language_is_spoken_in_that_of_its_letters(
    engine: espeak.EspeakEngine, text: str, language: str
) -> None:
    assert file(speak(engine, text=text)) == file(speak(engine, text=text, language=language))


@pytest.mark.parametrize(
    ("params", "code", "named"),
    [
        ({"text": "x", "language": "zz"}, "unknown_language", "az"),
        ({"text": "x", "language": "Germn"}, "unknown_language", "de"),
        ({"text": "x", "voice": "anni"}, "unknown_voice", "Annie"),
        ({"ssml": "<speak><voice name='bob'>x</voice></speak>"}, "unknown_voice", "bob"),
        ({"text": "...!"}, "nothing_to_say", "word"),
        ({}, "nothing_to_say", "word"),
        ({"text": "\x00\x01\x02"}, "nothing_to_say", "word"),
        ({"text": "x", "speed": 9.0}, "bad_params", "9"),
        ({"text": "x", "pitch": float("nan")}, "bad_params", "nan"),
        ({"text": "x", "ssml": "<speak>x</speak>"}, "bad_params", "both"),
        ({"text": "x", "format": "flac"}, "bad_params", "flac"),
        ({"text": "x" * 50_001}, "too_long", "50000"),
    ],
)
def test_what_cannot_be_spoken_is_said_in_a_sentence(
    engine: espeak.EspeakEngine, params: dict[str, Any], code: str, named: str
) -> None:
    with pytest.raises(EngineError) as raised:
        speak(engine, **params)

    assert raised.value.code == code
    assert named in raised.value.message


@pytest.mark.parametrize(
    "text", ["😀😀", "a\x00b\x01300S\x1bc", "\ud83dx", "1" * 400, "ಠ_ಠ", "<speak>", "a" * 5000]
)
def test_odd_text_is_spoken_without_harm(engine: espeak.EspeakEngine, text: str) -> None:
    assert file(speak(engine, text=text)).about["duration_s"] > 0.3


def pids(pool: EspeakPool) -> list[int]:
    return [process._process.pid for process in list(pool._free.queue) if process is not None]


def test_a_killed_process_is_replaced_and_the_job_does_not_notice() -> None:
    pool = EspeakPool(1)
    before = pool.speak("Hello.", voice="gmw/en-US", **KILLED)
    (pid,) = pids(pool)

    os.kill(pid, signal.SIGKILL)

    assert pool.speak("Hello.", voice="gmw/en-US", **KILLED) == before
    assert pids(pool) != [pid]
    pool.close()


def test_a_crash_inside_the_library_takes_only_its_own_phrase() -> None:
    pool = EspeakPool(1)
    before = pool.speak("Hello.", voice="gmw/en-US", **KILLED)
    (pid,) = pids(pool)
    time.sleep(0.2)  # the fork that said hello is gone
    crash = threading.Thread(target=_kill_a_child_of, args=(pid,))
    crash.start()

    with pytest.raises(EngineError) as raised:
        pool.speak("中" * 30_000, voice="sit/cmn", **KILLED)

    crash.join()
    assert raised.value.code == "espeak_crashed"
    assert "中中" in raised.value.message
    assert pids(pool) == [pid]
    assert pool.speak("Hello.", voice="gmw/en-US", **KILLED) == before
    pool.close()


def _kill_a_child_of(pid: int) -> None:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    deadline = time.monotonic() + 5
    while not (found := children.read_text().split()) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(int(found[0]), signal.SIGSEGV)


def test_the_process_ends_with_the_worker() -> None:
    code = (
        "import os, sys, time\n"
        "from gpu_workers.engines.espeak_pool import EspeakPool\n"
        "pool = EspeakPool(1); pool.voices()\n"
        "print([p._process.pid for p in pool._free.queue if p][0], flush=True); time.sleep(60)\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert worker.stdout is not None
    pid = int(worker.stdout.readline())
    worker.kill()
    worker.wait()

    deadline = time.monotonic() + 5
    while _is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    worker.stdout.close()
    assert not _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_without_a_library_that_loads_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # It comes before the system's, which this machine may have.
    package = tmp_path / "espeakng_loader"
    (package / "espeak-ng-data").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "libespeak-ng.so").write_text("not a library")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with pytest.raises(EngineError) as raised:
        EspeakPool(1).voices()

    assert raised.value.code == "espeak_missing"
    assert "libespeak-ng1" in raised.value.message
