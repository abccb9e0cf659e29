"""Speech survives being written, read and joined, and louder speech is not cut off hard."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from gpu_workers.engines.audio import (
    FULL_SCALE,
    Clip,
    Word,
    encode,
    from_float,
    from_wav,
    gain,
    heard_end,
    join,
    silence,
    to_wav,
)
from gpu_workers.engines.base import EngineError

RATE = 22050


def tone(seconds: float = 1.0, peak: int = 12000, rate: int = RATE) -> Clip:
    time_s = np.arange(round(seconds * rate)) / rate
    samples = np.rint(np.sin(2 * np.pi * 440 * time_s) * peak).astype(np.int16)
    return Clip(samples, rate, (Word("la", 100, 2000), Word("世界", 4000, 999)))


def test_a_wav_reads_back_with_its_words() -> None:
    clip = tone()

    again = from_wav(to_wav(clip))

    assert np.array_equal(again.samples, clip.samples)
    assert (again.rate, again.words) == (clip.rate, clip.words)


def test_a_wav_with_marked_words_is_a_wav_for_others() -> None:
    samples, rate = soundfile.read(io.BytesIO(to_wav(tone())), dtype="int16")

    assert rate == RATE
    assert np.array_equal(samples, tone().samples)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"x" * 100, to_wav(tone())[:500], b"RIFF\0\0\0\0WAVE"])
def test_what_is_no_wav_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="WAV"):
        from_wav(data)


@pytest.mark.parametrize(("format_", "container"), [("mp3", "MP3"), ("ogg", "OGG")])
@pytest.mark.parametrize("rate", [16000, 22050, 24000])
def test_mp3_and_ogg_have_the_length_and_the_sound(format_: str, container: str, rate: int) -> None:
    clip = tone(4.0, rate=rate)

    data = encode(clip, format_)

    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert (file.format, file.samplerate, file.channels) == (container, rate, 1)
        samples = file.read()
    assert len(samples) / rate == pytest.approx(4.0, abs=0.06)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(12000 / 32768 / np.sqrt(2), rel=0.05)
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * rate / len(samples) == pytest.approx(440, abs=2)
    assert len(data) < len(to_wav(clip)) / 2


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(EngineError, match="flac"):
        encode(tone(), "flac")


def test_a_rate_that_mp3_does_not_have_is_an_error_that_says_so() -> None:
    with pytest.raises(EngineError, match="23456 Hz") as raised:
        encode(tone(rate=23456), "mp3")
    assert raised.value.code == "format_unsupported"


def test_joined_clips_follow_each_other_and_shift_their_words() -> None:
    whole = join([tone(1), silence(0.5, RATE), tone(1)])

    assert whole.duration_s == 2.5
    assert not whole.samples[RATE : RATE + RATE // 2].any()
    assert [word.start for word in whole.words] == [100, 4000, 100 + 33075, 4000 + 33075]
    assert whole.word_times()[0] == {"text": "la", "start_s": 0.005, "end_s": 0.095}


def test_clips_of_different_rates_are_not_joined() -> None:
    with pytest.raises(ValueError, match="rate"):
        join([tone(), tone(rate=16000)])


def test_softer_is_exact_and_louder_never_wraps_around() -> None:
    clip = tone(peak=FULL_SCALE)

    assert np.abs(gain(clip, 0.5).samples).max() == pytest.approx(FULL_SCALE / 2, abs=1)
    louder = gain(clip, 2.0).samples.astype(int)
    assert np.abs(louder).max() <= FULL_SCALE
    assert np.all(np.sign(louder) == np.sign(clip.samples))
    assert not gain(clip, 0).samples.any()


def test_floats_beyond_full_scale_are_limited() -> None:
    assert from_float(np.array([-2.0, 0.5, 2.0], np.float32), RATE).samples.tolist() == [-32767, 16384, 32767]


def test_the_end_of_a_word_is_where_it_falls_silent() -> None:
    samples = np.zeros(1000, np.int16)
    samples[100:300] = 5000

    assert heard_end(samples, 100, 1000) == 300
    assert heard_end(samples, 400, 1000) == 400
