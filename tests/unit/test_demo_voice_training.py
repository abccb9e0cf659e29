"""The training of the demo voice on a few steps: it resumes exactly, and its export is a real VITS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("TTS")

from gpu_workers.demo import training_run  # noqa: E402
from gpu_workers.demo.chat_training.examples import is_held_out  # noqa: E402
from gpu_workers.demo.training_run import TrainingRun  # noqa: E402
from gpu_workers.demo.voice_evaluation.speaking import loaded  # noqa: E402
from gpu_workers.demo.voice_training import speech_pool  # noqa: E402
from gpu_workers.demo.voice_training.__main__ import build  # noqa: E402
from gpu_workers.demo.voice_training.critic import PERIODS, Critic  # noqa: E402
from gpu_workers.demo.voice_training.export import MAX_BYTES, export  # noqa: E402
from gpu_workers.demo.voice_training.network import HOP, SEGMENT, Reader, find_path, make_voice  # noqa: E402
from gpu_workers.demo.voice_training.sentences import (  # noqa: E402
    CHARACTERS,
    Sentence,
    training_sentence,
    unseen_sentences,
)
from gpu_workers.demo.voice_training.speech_pool import Utterance, batch_of, collate, make_pool  # noqa: E402
from gpu_workers.demo.voice_training.speed import fitted_length_scale  # noqa: E402
from gpu_workers.demo.voice_training.teacher import LANGUAGES, SAMPLE_RATE, Teacher  # noqa: E402
from gpu_workers.demo.voice_training.training import Pupil, VoiceTraining, spectra  # noqa: E402
from gpu_workers.engines.vits_files import read_weights  # noqa: E402

pytestmark = pytest.mark.engines

# The critic listens to the second half.
STEPS, SENTENCES = 4, 16
ENGLISH, CHINESE = Sentence("The key is printed once.", "en"), Sentence("夜里下雨了。", "zh")


class Killed(Exception):
    """Stands for kill -9: nothing of the run tidies up after it."""


@pytest.fixture(scope="module", autouse=True)
def small_training() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speech_pool, "SHARD", 8)
        patch.setattr(speech_pool, "BATCH", 2)
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice that was trained for a few steps."""
    folder = tmp_path_factory.mktemp("voice")
    train(folder / "state", folder / "voice")
    return folder / "voice"


@pytest.fixture(scope="module")
def pupil() -> Pupil:
    torch.manual_seed(1)
    return Pupil(make_voice())


@pytest.fixture(scope="module")
def pool(pupil: Pupil, tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    folder = tmp_path_factory.mktemp("pool")
    return make_pool(Reader(pupil.voice), folder, seed=1, sentences=SENTENCES)


@pytest.fixture(scope="module")
def teacher() -> Iterator[Teacher]:
    teacher = Teacher()
    yield teacher
    teacher.close()


def train(state: Path, out: Path) -> None:
    build(state=state, out=out, seed=1, sentences=SENTENCES, steps=STEPS)


def weights(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(folder / "model.pth", weights_only=True)["model"]
    return loaded


# --- interruptions


def test_a_training_killed_at_any_step_ends_with_the_same_weights(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_run, "CHECKPOINT_INTERVAL_S", 0.0)
    take_step, taken = TrainingRun._take_step, 0

    def counted(run: TrainingRun, loss_of: Callable[[int], Any]) -> float:
        nonlocal taken
        if taken in deadly:
            deadly.remove(taken)
            raise Killed
        taken += 1
        return take_step(run, loss_of)

    monkeypatch.setattr(TrainingRun, "_take_step", counted)
    deadly = {1, STEPS - 1}  # before the critic listens, and when it does
    while deadly:
        with pytest.raises(Killed):
            train(tmp_path / "state", tmp_path / "voice")
    train(tmp_path / "state", tmp_path / "voice")
    assert taken == STEPS, "no step is taken twice"
    whole, resumed = weights(trained), weights(tmp_path / "voice")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_spoken_sentences_are_kept_and_not_spoken_again(
    pupil: Pupil, pool: list[Utterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(pupil.voice)
    make_pool(reader, tmp_path, seed=1, sentences=SENTENCES)
    monkeypatch.delattr(Teacher, "speak")
    again = make_pool(reader, tmp_path, seed=1, sentences=SENTENCES)
    assert len(again) == len(pool) == SENTENCES
    for kept, spoken in zip(again, pool, strict=True):
        assert torch.equal(kept.tokens, spoken.tokens)
        assert torch.equal(kept.samples, spoken.samples)
        assert kept.language == spoken.language


# --- what is said


def test_no_training_sentence_is_one_of_the_evaluation() -> None:
    practised = {training_sentence(1, number).text for number in range(500)}
    unseen = unseen_sentences(60)
    assert all(is_held_out(sentence.text) for sentence in unseen)
    assert not any(is_held_out(text) for text in practised)
    assert len({sentence.text for sentence in unseen}) == 60


def test_both_languages_come_in_equal_shares_and_short_sentences() -> None:
    assert [sentence.language for sentence in unseen_sentences(6)] == ["en", "zh"] * 3
    sentences = [training_sentence(1, number) for number in range(200)]
    assert 70 < sum(sentence.language == "en" for sentence in sentences) < 130
    assert all(len(sentence.text) in CHARACTERS[sentence.language] for sentence in sentences)


def test_the_same_number_is_the_same_sentence() -> None:
    assert training_sentence(1, 7) == training_sentence(1, 7)
    assert len({training_sentence(1, number) for number in range(50)}) > 30
    assert training_sentence(1, 7) != training_sentence(2, 7)


def test_the_teacher_says_a_sentence_the_same_way_each_time(teacher: Teacher) -> None:
    first, second = teacher.speak(ENGLISH), teacher.speak(ENGLISH)
    assert (first == second).all()
    assert 0.8 < len(first) / SAMPLE_RATE < 3
    assert 0.1 < abs(first).max() <= 1
    assert teacher.speak(Sentence(CHINESE.text, "en")).shape != teacher.speak(CHINESE).shape


def test_the_network_knows_every_phoneme(pupil: Pupil) -> None:
    reader, tokenizer = Reader(pupil.voice), pupil.voice.tokenizer
    for sentence in [ENGLISH, CHINESE, *(training_sentence(3, number) for number in range(150))]:
        said = tokenizer.phonemizer.phonemize(
            sentence.text, separator="", language=LANGUAGES[sentence.language]
        )
        assert len(reader.read(sentence)) == len(said), f"{sentence.text}: {said}"


# --- batches


def test_a_batch_follows_from_the_seed_and_the_step(pool: list[Utterance]) -> None:
    batches = [batch_of(pool, 1, step) for step in range(8)]
    assert torch.equal(batch_of(pool, 1, 3).waves, batches[3].waves)
    assert len({tuple(batch.frames.tolist()) for batch in batches}) > 1
    assert any(batch_of(pool, 2, step).waves.shape != batches[step].waves.shape for step in range(8))


def test_a_batch_holds_its_utterances_and_silence_after_them(pool: list[Utterance]) -> None:
    short, long = sorted(pool, key=lambda utterance: len(utterance.samples))[:: SENTENCES - 1]
    batch = collate([short, long])
    frames = len(short.samples) // HOP
    assert batch.frames.tolist() == [frames, len(long.samples) // HOP]
    kept = batch.waves[0, 0, : frames * HOP]
    assert torch.allclose(kept * 32767, short.samples[: frames * HOP].float(), atol=0.01)
    assert not batch.waves[0, 0, frames * HOP :].any()
    assert batch.tokens[0, : len(short.tokens)].tolist() == short.tokens.tolist()
    assert batch.token_lengths.tolist() == [len(short.tokens), len(long.tokens)]


def test_an_utterance_shorter_than_a_segment_ends_in_silence() -> None:
    batch = collate([Utterance(torch.tensor([1, 2]), torch.ones(HOP, dtype=torch.int16), 0)])
    assert batch.frames.tolist() == [SEGMENT]
    assert batch.waves.shape == (1, 1, SEGMENT * HOP)


# --- the losses


def test_the_loss_falls(pupil: Pupil, pool: list[Utterance]) -> None:
    voice = Pupil(make_voice())
    training = VoiceTraining(voice, pool, seed=1, steps=100, device="cpu")
    optimizer = torch.optim.AdamW(voice.parameters(), 1e-3)
    losses = []
    for _ in range(8):
        loss = training.loss_of(0)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_the_critic_learns_from_its_own_loss_only(
    pupil: Pupil, pool: list[Utterance], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = VoiceTraining(pupil, pool, seed=1, steps=2, device="cpu")
    training.loss_of(1).backward()
    assert all(parameter.grad is not None for parameter in pupil.critic.parameters())
    pupil.zero_grad()
    monkeypatch.setattr(training, "_judge_critic", lambda *_: {"loss": torch.zeros(())})
    training.loss_of(1).backward()
    assert all(parameter.grad is None for parameter in pupil.critic.parameters())
    assert pupil.voice.waveform_decoder.conv_post.weight.grad.any()
    pupil.zero_grad()


def test_spectra_tell_pitch_and_time_apart() -> None:
    time_s = torch.arange(8192) / SAMPLE_RATE
    low, high = (0.5 * torch.sin(2 * torch.pi * pitch * time_s) for pitch in (200.0, 400.0))
    click = torch.zeros(8192)
    click[4000:4010] = 0.5
    rows = spectra(torch.stack([low, high, click, click.roll(2000)])[:, None])
    assert (rows[0] - rows[1]).abs().mean() > 0.3
    assert (rows[2] - rows[3]).abs().mean() > 0.3


def path_durations(frames: Any, means: Any, *, tokens: int, length: int) -> list[int]:
    """What `find_path` finds for one sentence of so many tokens and frames; the rest is padding."""
    token_mask = (torch.arange(means.shape[2]) < tokens).float()[None, None]
    frame_mask = (torch.arange(frames.shape[2]) < length).float()[None, None]
    path = find_path(frames, means, torch.zeros_like(means), token_mask, frame_mask)
    assert path.sum(1)[0].tolist() == [1.0] * length + [0.0] * (frames.shape[2] - length)
    return [int(duration) for duration in path.sum(2)[0]]


def test_frames_go_to_the_tokens_that_they_sound_like() -> None:
    means = 5 * torch.eye(40)[None]
    durations = torch.randint(1, 7, (40,), generator=torch.Generator().manual_seed(1))
    durations[20] = 15  # a pause in the middle
    frames = torch.repeat_interleave(means, durations, dim=2)
    length = int(durations.sum())
    assert path_durations(frames, means, tokens=40, length=length) == durations.tolist()
    shorter = [*durations[:30].tolist(), *[0] * 10]
    assert path_durations(frames, means, tokens=30, length=sum(shorter)) == shorter


def test_frames_that_sound_like_nothing_are_shared_evenly() -> None:
    nothing = torch.zeros(1, 4, 12)
    assert path_durations(nothing, torch.zeros(1, 4, 4), tokens=4, length=12) == [3, 3, 3, 3]
    assert path_durations(nothing, torch.zeros(1, 4, 4), tokens=2, length=8) == [4, 4, 0, 0]


class KnownDurations(torch.nn.Module):  # type: ignore[name-defined,misc]  # torch is imported by pytest
    """Predicts what the package rounds up to the durations it was given."""

    def __init__(self, durations: Any) -> None:
        super().__init__()
        self._logarithms = (durations - 0.5).clamp_min(0.5).log()[:, None]

    def forward(self, *_: Any, **__: Any) -> Any:
        return self._logarithms


def test_durations_that_round_up_to_the_found_ones_cost_nothing(pupil: Pupil, pool: list[Utterance]) -> None:
    voice = Pupil(make_voice())
    training = VoiceTraining(voice, pool, seed=1, steps=100, device="cpu")
    batch = batch_of(pool, 1, 0)
    voice.eval()

    def outputs() -> Any:
        torch.manual_seed(5)
        return training._speak(batch)

    found = outputs()["alignments"].sum(2)
    assert found.sum(1).tolist() == batch.frames.tolist()
    voice.voice.duration_predictor = KnownDurations(found)
    assert outputs()["loss_duration"].item() == pytest.approx(0, abs=1e-6)
    voice.voice.duration_predictor = KnownDurations(found + 1)
    assert outputs()["loss_duration"].item() > 0.01


@pytest.mark.parametrize("speed", [0.7, 1.5])
def test_the_speed_is_fitted_to_the_teachers(pool: list[Utterance], speed: float) -> None:
    voice, batch = make_voice().eval(), collate(pool)
    places = torch.arange(batch.tokens.shape[1]) < batch.token_lengths[:, None]
    even = batch.frames / batch.token_lengths / speed
    uneven = 2 * even[:, None] * torch.rand(places.shape, generator=torch.Generator().manual_seed(1))
    voice.duration_predictor = KnownDurations(uneven + 0.5)
    scale = fitted_length_scale(voice, pool)
    spoken = (uneven.clamp_min(0.5) * places * scale).ceil().sum()
    assert spoken.item() == pytest.approx(batch.frames.sum().item(), rel=0.02)
    assert (scale > 1) == (speed > 1)


def test_the_critic_hears_each_period_and_every_sample() -> None:
    torch.manual_seed(1)
    critic, wave = Critic(), torch.randn(2, 1, 500)
    opinion = critic(wave)
    assert len(opinion.scores) == len(opinion.features) == len(PERIODS)
    wave[0, 0, 499] += 1
    for before, after in zip(opinion.scores, critic(wave).scores, strict=True):
        assert not torch.equal(before[0], after[0])
        assert torch.equal(before[1], after[1])


# --- the export


def test_the_export_is_small_and_loads_as_plain_weights(trained: Path) -> None:
    assert sorted(path.name for path in trained.iterdir()) == ["config.json", "model.pth"]
    assert sum(path.stat().st_size for path in trained.iterdir()) <= MAX_BYTES
    assert {tensor.dtype for tensor in weights(trained).values()} == {torch.float16}
    assert not any(name.startswith("critic") for name in weights(trained))


def test_the_length_scale_reaches_the_engine(trained: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    voice, lengths = make_voice(), []
    for scale in (1.0, 2.0):
        export(tmp_path, voice, steps=0, length_scale=scale)
        with loaded(tmp_path) as speaker:
            lengths.append(len(speaker.speak(ENGLISH)))
    assert 1.3 < lengths[1] / lengths[0] < 2.2


def test_the_engine_speaks_both_languages_with_the_export(trained: Path) -> None:
    with loaded(trained) as speaker:
        engine = speaker._engine
        assert engine.languages() == ["en-us", "zh-cn"]
        assert (engine.voices(), speaker.rate) == ([], SAMPLE_RATE)
        spoken = {sentence: speaker.speak(sentence) for sentence in (ENGLISH, CHINESE)}
        assert (speaker.speak(ENGLISH) == spoken[ENGLISH]).all()
        assert all(len(samples) > 0.2 * SAMPLE_RATE for samples in spoken.values())
        assert len(speaker.speak(Sentence(ENGLISH.text, "zh"))) != len(spoken[ENGLISH])


def test_the_engine_reads_what_the_network_learned(trained: Path) -> None:
    reader = Reader(make_voice())
    with loaded(trained) as speaker:
        model = speaker._engine._model
        assert Reader(model.network).read(CHINESE) == reader.read(CHINESE)
        kept = read_weights(None, trained)  # type: ignore[arg-type]  # only named in errors
        state = model.network.state_dict()
        assert torch.equal(state["text_encoder.emb.weight"], kept["text_encoder.emb.weight"].float())
