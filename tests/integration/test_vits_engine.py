"""VITS by the TTS package, for real: tiny networks with random weights, the real loading, our own phonemes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpu_workers.contract.events import Progress
from gpu_workers.contract.messages import ModelSpec, VoiceParams
from gpu_workers.engines.audio import from_wav
from gpu_workers.engines.base import (
    Chunk,
    DoneChunk,
    Engine,
    EngineError,
    FileChunk,
    Request,
    Resume,
    SpeechChunk,
    SpokenSentence,
    StepChunk,
)

torch = pytest.importorskip("torch")
vits = import_module("gpu_workers.engines.vits")
vits_files = import_module("gpu_workers.engines.vits_files")
from safetensors.torch import save_file  # noqa: E402  after the check that torch is there
from TTS.config.shared_configs import BaseDatasetConfig  # noqa: E402  after the engine, which prepares torchaudio
from TTS.tts.utils.text import phonemizers  # noqa: E402
from TTS.tts.utils.text.phonemizers import espeak_wrapper  # noqa: E402

from gpu_workers.demo import tiny_voice  # noqa: E402

pytestmark = pytest.mark.engines

TWO = "Hello brave new world, how are you? It costs 3.50 in 2024."
Make = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def load(folder: Path | str, **options: Any) -> Any:
    return vits.load(
        ModelSpec("tiny", "voice", "vits", source=str(folder), options=options), lambda _progress: None
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-voice")
    tiny_voice.build(folder)
    return folder


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Any]:
    engine = load(folder)
    yield engine
    engine.close()


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A loaded tiny voice with other model arguments or config fields."""

    def make(arguments: dict[str, Any] | None = None, **changes: Any) -> Any:
        tiny_voice.save(tiny_voice.config(arguments, **changes), tmp_path)
        return load(tmp_path)

    return make


def speak(engine: Engine, resume: Resume | None = None, **params: Any) -> list[Chunk]:
    chunks = []
    for _, chunk in engine.generate([Request(VoiceParams(**params), resume=resume or Resume())]):
        assert not isinstance(chunk, EngineError)
        chunks.append(chunk)
    return chunks


def speech(chunks: list[Chunk]) -> list[SpeechChunk]:
    return [chunk for chunk in chunks if isinstance(chunk, SpeechChunk)]


def file(chunks: list[Chunk]) -> FileChunk:
    (found,) = [chunk for chunk in chunks if isinstance(chunk, FileChunk)]
    return found


def words(chunks: list[Chunk]) -> list[str]:
    return [word["text"] for word in file(chunks).about["words"]]


def failure(action: Callable[[], object]) -> EngineError:
    with pytest.raises(EngineError) as raised:
        action()
    return raised.value


def test_the_tiny_voice_is_small_and_in_the_packages_own_files(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.pth"]
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3_000_000


def test_each_sentence_comes_as_a_wav_and_the_whole_as_one_file(engine: Any) -> None:
    chunks = speak(engine, text=TWO)

    assert [type(chunk) for chunk in chunks] == [SpeechChunk, StepChunk] * 2 + [FileChunk, DoneChunk]
    joined = np.concatenate([from_wav(chunk.wav).samples for chunk in speech(chunks)])
    assert np.array_equal(from_wav(file(chunks).data).samples, joined)
    assert from_wav(file(chunks).data).rate == engine.sample_rate == 16_000
    assert chunks[-1] == DoneChunk({"characters": 57, "seconds": file(chunks).about["duration_s"]})
    for chunk in speech(chunks):
        samples = from_wav(chunk.wav).samples.astype(int)
        assert 0.5 < chunk.duration_s < 10
        assert 300 < np.abs(samples).max() < 32767
        assert not samples[-3200:].any()


def test_words_have_their_times(engine: Any) -> None:
    chunks = speak(engine, text=TWO)

    assert words(chunks) == [
        "Hello",
        "brave",
        "new",
        "world",
        "how",
        "are",
        "you",
        "It",
        "costs",
        "3.50",
        "in",
        "2024",
    ]
    times = file(chunks).about["words"]
    assert all(word["start_s"] < word["end_s"] for word in times)
    assert all(one["end_s"] <= two["start_s"] for one, two in pairwise(times))


def test_the_sentences_know_their_words(engine: Any) -> None:
    first, second = speech(speak(engine, text=TWO))

    assert [word["text"] for word in first.words] == ["Hello", "brave", "new", "world", "how", "are", "you"]
    assert [word["text"] for word in second.words] == ["It", "costs", "3.50", "in", "2024"]
    for chunk in (first, second):
        assert chunk.words[0]["start_s"] >= 0
        assert chunk.words[-1]["end_s"] <= chunk.duration_s


def test_chinese_is_spoken_too(engine: Any) -> None:
    assert words(speak(engine, text="你好，世界。")) == ["你", "好", "世", "界"]


def test_sixteen_jobs_at_once_give_the_samples_of_one_alone(engine: Any) -> None:
    texts = [f"This is job number {number}. It has two sentences." for number in range(16)]
    alone = [file(speak(engine, text=text)).data for text in texts]
    together: dict[int, bytes] = {}
    ended = threading.Event()

    def work(number: int) -> None:
        together[number] = file(speak(engine, text=texts[number])).data

    def disturb() -> None:
        # Other engines draw from torch's global generator all the time.
        while not ended.is_set():
            torch.randn(10)

    disturber = threading.Thread(target=disturb)
    disturber.start()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended.set()
    disturber.join()

    assert len(set(alone)) == 16
    assert [together[number] for number in range(16)] == alone


def test_speaking_leaves_torchs_global_generator_alone(make: Make) -> None:
    engine = make({"use_sdp": True})
    before = torch.random.get_rng_state()
    first = file(speak(engine, text=TWO)).data

    assert torch.equal(torch.random.get_rng_state(), before)
    assert file(speak(engine, text=TWO)).data == first


def test_a_resumed_job_says_only_the_rest_and_makes_the_same_file(engine: Any) -> None:
    whole = speak(engine, text=TWO)
    said = tuple(SpokenSentence(chunk.index, chunk.text, chunk.wav) for chunk in speech(whole)[:1])

    rest = speak(engine, Resume(sentences=said), text=TWO)

    assert [chunk.index for chunk in speech(rest)] == [1]
    assert file(rest) == file(whole)


def test_after_a_stop_only_the_file_of_what_was_said_comes(engine: Any) -> None:
    stop = threading.Event()
    chunks: list[Any] = []
    for _, chunk in engine.generate([Request(VoiceParams(text=TWO), stopped=stop.is_set)]):
        chunks.append(chunk)
        if isinstance(chunk, StepChunk):
            stop.set()

    assert [type(chunk) for chunk in chunks] == [SpeechChunk, StepChunk, FileChunk]
    assert file(chunks).data == speech(chunks)[0].wav


def test_speed_shortens_and_pitch_keeps_the_length(engine: Any) -> None:
    text = "This is a sentence of some length"
    plain = file(speak(engine, text=text)).about["duration_s"]

    assert file(speak(engine, text=text, speed=2.0)).about["duration_s"] == pytest.approx(plain / 2, rel=0.15)
    higher = file(speak(engine, text=text, pitch=1.5))
    assert higher.about["duration_s"] == pytest.approx(plain, rel=0.1)
    assert higher.data != file(speak(engine, text=text)).data


def test_volume_scales_the_samples(engine: Any) -> None:
    plain = from_wav(file(speak(engine, text="Hello")).data).samples.astype(float)
    soft = from_wav(file(speak(engine, text="Hello", volume=0.5)).data).samples.astype(float)

    assert np.abs(soft - plain / 2).max() <= 1


def test_ssml_breaks_rates_and_volumes_are_heard(engine: Any) -> None:
    def duration(ssml: str) -> float:
        return float(file(speak(engine, ssml=f"<speak>{ssml}</speak>")).about["duration_s"])

    plain = duration("one two three")
    assert duration("one two <break time='1s'/> three") > plain + 0.9
    assert duration("one <prosody rate='50%'>two</prosody> three") > plain + 0.1
    silent = speak(engine, ssml="<speak>one <prosody volume='silent'>two</prosody> three</speak>")
    samples = from_wav(file(silent).data).samples
    (middle,) = [word for word in file(silent).about["words"] if word["text"] == "two"]
    assert not samples[round(middle["start_s"] * 16000) + 16 : round(middle["end_s"] * 16000) - 16].any()


def test_speakers_are_chosen_by_name(make: Make) -> None:
    engine = make({"use_speaker_embedding": True, "speaker_embedding_channels": 16}, speakers=["anna", "ben"])

    assert engine.speakers() == ["anna", "ben"]
    anna = file(speak(engine, text="Hello", voice="anna")).data
    assert file(speak(engine, text="Hello")).data == anna
    assert file(speak(engine, text="Hello", voice="ben")).data != anna
    error = failure(lambda: speak(engine, text="Hello", voice="carl"))
    assert error.code == "unknown_voice"
    assert "anna, ben" in error.message


def test_languages_are_chosen_by_name(make: Make) -> None:
    engine = make({"use_language_embedding": True}, languages=["en", "zh-cn"])

    assert engine.languages() == ["en", "zh-cn"]
    english = file(speak(engine, text="Hello", language="en-US")).data
    assert file(speak(engine, text="Hello")).data == english
    assert file(speak(engine, text="Hello", language="zh")).data != english
    error = failure(lambda: speak(engine, text="Hello", language="de"))
    assert error.code == "unknown_language"
    assert "en, zh-cn" in error.message


def test_phonemes_need_no_espeak_program(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    # As where the system has one, which cannot be run: whoever asks it for its languages fails.
    monkeypatch.setattr(espeak_wrapper, "_DEF_ESPEAK_LIB", "/nonexistent/espeak-ng")
    monkeypatch.setattr(phonemizers, "PHONEMIZERS", {})
    monkeypatch.setattr(phonemizers, "DEF_LANG_TO_PHONEMIZER", {})
    engine = make(
        use_phonemes=True, phonemizer="espeak", phoneme_language="en-us", text_cleaner="phoneme_cleaners"
    )

    tokenizer = engine._model.network.tokenizer
    assert tokenizer.phonemizer.phonemize("Hello, world!", separator="") == "həlˈoʊ, wˈɜːld!"
    assert words(speak(engine, text="Hello, I like 12 apples!")) == ["Hello", "I", "like", "12", "apples"]


def test_each_language_of_a_model_has_its_own_phonemes(make: Make) -> None:
    engine = make(
        {"use_language_embedding": True},
        use_phonemes=True,
        phonemizer="multi_phonemizer",
        languages=["en-us", "de"],
        datasets=[
            BaseDatasetConfig(dataset_name=language, language=language, phonemizer="espeak")
            for language in ("en-us", "de")
        ],
    )

    said = engine._model._said
    assert said("was", "en-us") != said("was", "de")
    assert speech(speak(engine, text="Was ist das?", language="de"))


def test_text_that_the_model_cannot_read_is_an_error_that_says_so(engine: Any) -> None:
    error = failure(lambda: speak(engine, text="привет"))

    assert error.code == "unspeakable_text"
    assert "привет" in error.message


@pytest.mark.parametrize("text", ["a\x00b\x01c", "_ _ a", "a" * 5000, "x 😀 y"])
def test_odd_text_is_spoken_without_harm(engine: Any, text: str) -> None:
    assert file(speak(engine, text=text)).about["duration_s"] > 0.1


class Payload:
    """What a poisoned checkpoint would run: it makes a folder."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:  # type: ignore[explicit-override]  # typing.override is 3.12's
        return os.mkdir, (str(self.trace),)


def test_a_checkpoint_with_code_in_it_is_not_loaded(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "config.json", tmp_path)
    torch.save({"model": Payload(tmp_path / "poisoned")}, tmp_path / "model.pth")

    error = failure(lambda: load(tmp_path))

    assert error.code == "unsafe_model"
    assert "model.pth" in error.message
    assert not (tmp_path / "poisoned").exists()


def test_safetensors_are_taken_before_a_pickle(folder: Path, tmp_path: Path, engine: Any) -> None:

    shutil.copy(folder / "config.json", tmp_path)
    weights = torch.load(folder / "model.pth", weights_only=True)["model"]
    save_file(weights, tmp_path / "model.safetensors")
    (tmp_path / "model.pth").write_bytes(b"not read")

    assert file(speak(load(tmp_path), text="Hello")).data == file(speak(engine, text="Hello")).data


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda folder: (folder / "config.json").unlink(), "config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json"),
        (lambda folder: (folder / "config.json").write_text('{"model": "tacotron"}'), "tacotron"),
        (lambda folder: (folder / "model.pth").unlink(), "no checkpoints"),
        (lambda folder: _cut_off(folder / "model.pth"), "model.pth"),
        (lambda folder: _replace(folder, '"hidden_channels": 32', '"hidden_channels": 48'), "does not fit"),
        (
            lambda folder: _replace(folder, "TTS.tts.models.vits.VitsCharacters", "os.path.join"),
            "os.path.join",
        ),
    ],
)
def test_a_broken_model_is_named_with_its_fault(
    folder: Path, tmp_path: Path, change: Callable[[Path], object], named: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    change(copy)

    error = failure(lambda: load(copy))

    assert error.code == "bad_model"
    assert named in error.message


def _cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100_000])


def _replace(folder: Path, old: str, new: str) -> None:
    text = (folder / "config.json").read_text()
    assert old in text
    (folder / "config.json").write_text(text.replace(old, new))


def test_without_the_internet_a_listed_model_fails_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIGC_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    begun = time.monotonic()

    error = failure(lambda: load("tts_models/en/ljspeech/vits"))

    assert time.monotonic() - begun < 10
    assert (error.code, error.retryable) == ("no_internet", True)
    assert not list((tmp_path / "models").rglob("*.*"))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address that serves it."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:  # type: ignore[explicit-override]  # typing.override is 3.12's
        """Nothing is said."""


def test_a_listed_model_is_downloaded_whole_with_progress_and_only_once(
    folder: Path, served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(served[0] / "model.zip", "w") as archive:
        archive.write(folder / "config.json", "tts_models--en/config.json")
        archive.write(folder / "model.pth", "../../model_file.pth")
    monkeypatch.setenv("AIGC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(
        vits_files, "_listed", lambda _spec, _downloads: {"github_rls_url": f"{served[1]}/model.zip"}
    )
    spec = ModelSpec("tiny", "voice", "vits", source="tts_models/en/tiny/vits")
    seen: list[Progress] = []

    engine = vits.load(spec, seen.append)

    downloaded = tmp_path / "data" / "models" / "tts" / "tts_models--en--tiny--vits"
    assert sorted(path.name for path in downloaded.iterdir()) == ["config.json", "model_file.pth"]
    assert [path.name for path in downloaded.parent.parent.iterdir()] == ["tts"]
    size = (served[0] / "model.zip").stat().st_size
    assert Progress(size, size, "download", "bytes") in seen
    assert speech(speak(engine, text="Hello"))
    (served[0] / "model.zip").unlink()
    assert vits.load(spec, seen.append)


def test_a_download_that_is_no_model_leaves_nothing_behind(
    served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (served[0] / "model.zip").write_bytes(b"not a zip")
    monkeypatch.setenv("AIGC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(
        vits_files, "_listed", lambda _spec, _downloads: {"github_rls_url": f"{served[1]}/model.zip"}
    )

    error = failure(lambda: load("tts_models/en/tiny/vits"))

    assert (error.code, error.retryable) == ("download_failed", True)
    assert list((tmp_path / "data" / "models" / "tts").iterdir()) == []


def test_a_name_that_is_not_listed_gets_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGC_DATA_DIR", str(tmp_path))

    error = failure(lambda: load("tts_models/en/ljspeech/vit"))

    assert error.code == "bad_source"
    assert "tts_models/en/ljspeech/vits" in error.message


def test_nothing_is_printed_and_a_broken_torchaudio_extension_does_no_harm(folder: Path) -> None:
    code = (
        "import sys\n"
        "class Broken:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torchaudio._extension': raise OSError('libcudart.so.13: cannot open shared object file')\n"
        "sys.meta_path.insert(0, Broken())\n"
        "import torch; torch.set_num_threads(1)\n"
        "from gpu_workers.contract.messages import ModelSpec, VoiceParams\n"
        "from gpu_workers.engines import vits\n"
        "from gpu_workers.engines.base import Request\n"
        f"engine = vits.load(ModelSpec('tiny', 'voice', 'vits', source={str(folder)!r}), lambda progress: None)\n"
        "chunks = list(engine.generate([Request(VoiceParams(text='Hello.', pitch=1.2))]))\n"
        "import torchaudio; assert not torchaudio._extension._IS_TORCHAUDIO_EXT_AVAILABLE\n"
        "sys.exit(0 if len(chunks) == 4 else 3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, ""), done.stderr
