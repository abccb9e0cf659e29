"""`/api/v1/speeches`: found again, in any format, deleted with undo, and only for their owner."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import soundfile
from asgiref.sync import async_to_sync
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from redis import Redis

from aigc.lib.redis_client import redis_client
from apps.accounts.models import User
from apps.catalog.models import Model
from apps.catalog.services import seed_catalog
from apps.jobs.dispatch import queue_length
from apps.jobs.models import Artifact, Job
from apps.jobs.services import settle
from apps.jobs.stream import job_log
from apps.voice import services
from apps.voice.models import DeletedSpeech
from apps.voice.params import SSML_ELEMENTS, STYLES, VoiceInput
from deploy.local.redis_server import RedisServer
from gpu_workers.contract import events
from gpu_workers.contract.job_log import artifact_url, voices_key
from gpu_workers.contract.messages import ModelSpec, Voice
from gpu_workers.engines import ssml
from gpu_workers.engines.audio import Clip, encode, from_wav
from gpu_workers.health import ModelReporter
from gpu_workers.publish import Publisher
from tests.unit.accounts_people import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("run_redis")]

URL = "/api/v1/speeches"
RATE = 22_050


def tone(seconds: float, hertz: float = 440) -> Clip:
    """A clip that a listener would know again."""
    at = np.arange(round(seconds * RATE)) / RATE
    return Clip(np.rint(8000 * np.sin(2 * np.pi * hertz * at)).astype(np.int16), RATE)


class Speaker:
    """Stands for a gpu worker: speaks what a test wants into the log of a job."""

    def __init__(self, redis: Redis) -> None:
        self.publisher = Publisher(redis, job_log())

    def speak(self, job_id: str, clip: Clip, format_: str = "wav") -> None:
        """The file of the job, and its end."""
        log = job_log()
        artifact_id = f"{int(job_id.replace('-', ''), 16) ^ 1:032x}"
        log.put_bytes(job_id, artifact_id, encode(clip, format_), 60)
        made = events.Artifact(
            artifact_id, artifact_url(job_id, artifact_id), f"audio/{format_}", duration_s=clip.duration_s
        )
        claim = log.claim(job_id, 1, "worker", "espeak")
        outbox = self.publisher.open(job_id, 1, "worker", claim.number)
        for event in (made, events.Finished()):
            self.publisher.emit(outbox, event)
        assert outbox.ended.wait(5)
        settle(job_id)


@pytest.fixture
def speaker(run_redis: RedisServer) -> Iterator[Speaker]:
    speaker = Speaker(Redis.from_url(run_redis.url))
    speaker.publisher.start()
    yield speaker
    speaker.publisher.close()


@pytest.fixture(autouse=True)
def storage(settings: Settings, tmp_path: Any) -> None:
    """Files of a test are its own."""
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def ada(client: Client) -> User:
    seed_catalog()
    user = make_user("ada")
    client.force_login(user)
    return user


@pytest.fixture
def grace() -> Client:
    """Somebody else, of another workspace."""
    other = Client()
    other.force_login(make_user("grace"))
    return other


def submit(client: Client, **params: Any) -> str:
    answer = client.post("/api/v1/jobs", {"kind": "voice", "input": params}, content_type="application/json")
    assert answer.status_code == 202, answer.content
    return str(answer.json()["id"])


def spoken(client: Client, speaker: Speaker, text: str = "Good morning.", seconds: float = 1.5) -> str:
    speech_id = submit(client, text=text)
    speaker.speak(speech_id, tone(seconds))
    return speech_id


def read(answer: Any) -> bytes:
    """The bytes of a file that was served."""

    async def all_of_it() -> bytes:
        return b"".join([chunk async for chunk in answer.streaming_content])

    return async_to_sync(all_of_it)()


def texts(client: Client, search: str = "") -> list[str]:
    found = client.get(URL, {"search": search} if search else {}).json()["results"]
    return [each["input"].get("text") or each["input"]["ssml"] for each in found]


# --- the list


@pytest.mark.usefixtures("ada")
def test_speeches_are_listed_newest_first_and_found_by_what_they_say(client: Client, grace: Client) -> None:
    submit(client, text="Good morning, Ada.")
    submit(client, text="欢迎来到工作室。")
    submit(client, ssml="<speak>Good night.</speak>")
    client.post(
        "/api/v1/jobs", {"kind": "image", "input": {"prompt": "Good"}}, content_type="application/json"
    )

    assert texts(client) == ["<speak>Good night.</speak>", "欢迎来到工作室。", "Good morning, Ada."]
    assert texts(client, "good") == ["<speak>Good night.</speak>", "Good morning, Ada."]
    assert texts(client, "工作室") == ["欢迎来到工作室。"]
    assert texts(client, "nothing like it") == []
    assert texts(grace) == []


# --- formats


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    ("format_", "media_type", "signature"),
    [("wav", "audio/wav", b"RIFF"), ("mp3", "audio/mpeg", b"\xff\xf3"), ("ogg", "audio/ogg", b"OggS")],
)
def test_a_speech_is_read_in_every_format(
    client: Client, speaker: Speaker, format_: str, media_type: str, signature: bytes
) -> None:
    speech_id = spoken(client, speaker)

    answer = client.get(f"{URL}/{speech_id}/audio", {"as": format_})
    data = read(answer)

    assert (answer.status_code, answer["Content-Type"]) == (200, media_type)
    assert answer["Content-Disposition"].endswith(f'.{format_}"')
    assert data.startswith(signature)
    samples, rate = soundfile.read(io.BytesIO(data))
    assert len(samples) / rate == pytest.approx(1.5, abs=0.08)
    level = float(np.sqrt(np.mean(samples[rate // 4 : rate] ** 2)))
    assert level == pytest.approx(8000 / 32768 / 2**0.5, rel=0.05)
    assert _loudest_hertz(samples, rate) == pytest.approx(440, abs=3)


def _loudest_hertz(samples: Any, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.argmax(spectrum) * rate / len(samples))


@pytest.mark.usefixtures("ada")
def test_a_format_is_made_once_and_then_kept(
    client: Client, speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech_id = spoken(client, speaker)
    first = read(client.get(f"{URL}/{speech_id}/audio", {"as": "mp3"}))
    monkeypatch.setattr("apps.voice.sound_files._converted", lambda *_: pytest.fail("it is there already"))
    assert read(client.get(f"{URL}/{speech_id}/audio", {"as": "mp3"})) == first
    part = client.get(f"{URL}/{speech_id}/audio", {"as": "mp3"}, headers={"Range": "bytes=10-19"})
    assert (part.status_code, read(part)) == (206, first[10:20])


@pytest.mark.usefixtures("ada")
def test_a_speech_made_as_ogg_is_a_wav_too(client: Client, speaker: Speaker) -> None:
    speech_id = submit(client, text="Hello.", format="ogg")
    speaker.speak(speech_id, tone(1), "ogg")
    wav = read(client.get(f"{URL}/{speech_id}/audio"))
    assert from_wav(wav).duration_s == pytest.approx(1, abs=0.01)


@pytest.mark.usefixtures("ada")
def test_no_other_format_and_no_other_persons_speech_is_read(
    client: Client, speaker: Speaker, grace: Client
) -> None:
    speech_id = spoken(client, speaker)
    refused = client.get(f"{URL}/{speech_id}/audio", {"as": "flac"})
    assert (refused.status_code, refused.json()["error"]["field"]) == (400, "as")
    for stranger, status in ((grace, 404), (Client(), 401)):
        assert stranger.get(f"{URL}/{speech_id}/audio", {"as": "mp3"}).status_code == status
    assert client.get(f"{URL}/{submit(client, text='Not yet.')}/audio").status_code == 404
    assert client.post(f"{URL}/{speech_id}/audio").status_code == 405


# --- deleting


@pytest.mark.usefixtures("ada")
def test_a_deleted_speech_is_gone_until_it_is_brought_back(client: Client, speaker: Speaker) -> None:
    speech_id = spoken(client, speaker)
    assert client.delete(f"{URL}/{speech_id}").status_code == 204
    assert texts(client) == []
    assert client.get(f"{URL}/{speech_id}/audio").status_code == 404
    assert client.delete(f"{URL}/{speech_id}").status_code == 404
    assert client.post(f"{URL}/{speech_id}/restore").status_code == 204
    assert texts(client) == ["Good morning."]
    assert client.post(f"{URL}/{speech_id}/restore").status_code == 404


@pytest.mark.usefixtures("ada")
def test_deleting_a_speech_that_is_being_spoken_stops_it(client: Client) -> None:
    speech_id = submit(client, text="A long story.")
    client.delete(f"{URL}/{speech_id}")
    assert Job.objects.get(pk=speech_id).status == "cancelled"


@pytest.mark.usefixtures("ada")
def test_nobody_else_deletes_or_restores_it(client: Client, speaker: Speaker, grace: Client) -> None:
    speech_id = spoken(client, speaker)
    assert grace.delete(f"{URL}/{speech_id}").status_code == 404
    client.delete(f"{URL}/{speech_id}")
    assert grace.post(f"{URL}/{speech_id}/restore").status_code == 404


@pytest.mark.usefixtures("ada")
def test_ten_minutes_later_nothing_of_it_is_left(
    client: Client,
    speaker: Speaker,
    run_redis: RedisServer,
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[object]],
) -> None:
    gone, same, kept = (
        spoken(client, speaker, "Gone.", 1.0),
        spoken(client, speaker, "The same sound.", 1.0),
        spoken(client, speaker, "Another.", 2.0),
    )
    client.get(f"{URL}/{gone}/audio", {"as": "mp3"})
    client.get(f"{URL}/{kept}/audio", {"as": "mp3"})
    client.delete(f"{URL}/{gone}")
    services.erase_deleted()
    assert Job.objects.filter(pk=gone).exists(), "there is still time to undo"

    _age_deletions()
    with django_capture_on_commit_callbacks(execute=True):
        services.erase_deleted()

    assert not Job.objects.filter(pk=gone).exists()
    assert not Redis.from_url(run_redis.url).keys(f"*log*{gone}*")
    assert client.post(f"{URL}/{gone}/restore").status_code == 404
    assert len(_stored("converted")) == 1
    assert len(_stored("artifacts")) == 2, "a file that another speech has, too, stays"
    assert client.get(f"{URL}/{same}/audio").status_code == 200

    client.delete(f"{URL}/{same}")
    _age_deletions()
    with django_capture_on_commit_callbacks(execute=True):
        services.erase_deleted()
    assert _stored("artifacts") == {Artifact.objects.get(job__pk=kept).file.rpartition("/")[2]}


def _age_deletions() -> None:
    DeletedSpeech.objects.update(deleted_at=timezone.now() - timedelta(minutes=11))


def _stored(folder: str) -> set[str]:
    folders, _ = default_storage.listdir(folder)
    return {name for each in folders for name in default_storage.listdir(f"{folder}/{each}")[1]}


# --- what can be chosen


@pytest.mark.usefixtures("ada")
def test_an_unknown_offer_asks_a_worker_once_and_then_tells_what_it_found(
    client: Client, run_redis: RedisServer
) -> None:
    for _ in range(2):
        offer = client.get("/api/v1/speech-offer").json()
        assert (offer["known"], offer["languages"], offer["model"]) == (False, [], "espeak")
    assert queue_length("voice") == 1

    reporter = ModelReporter(Redis.from_url(run_redis.url))
    reporter.tell_voices(
        ModelSpec("espeak", "voice", "espeak"), [Voice("f3", "female3", "")], ["cmn", "en-us"]
    )

    offer = client.get("/api/v1/speech-offer", {"model": "espeak"}).json()
    assert (offer["known"], offer["languages"]) == (True, ["cmn", "en-us"])
    assert offer["voices"] == [{"id": "f3", "name": "female3", "language": ""}]
    assert [style["id"] for style in offer["styles"]] == [style["id"] for style in STYLES]
    assert (offer["model"], offer["text_max"]) == ("espeak", 50_000)
    assert client.get("/api/v1/voices").json() == {
        "known": True,
        "results": offer["voices"],
        "languages": ["cmn", "en-us"],
    }


@pytest.mark.usefixtures("ada")
def test_no_offer_of_a_model_that_cannot_speak_or_is_off(client: Client) -> None:
    assert client.get("/api/v1/speech-offer", {"model": "demo-image"}).status_code == 404
    Model.objects.filter(pk="demo-voice").update(enabled=False)
    answer = client.get("/api/v1/speech-offer", {"model": "demo-voice"})
    assert answer.json()["error"]["code"] == "model_disabled"
    assert queue_length("voice") == 0
    assert redis_client().get(voices_key("demo-voice")) is None


def test_the_offered_ssml_is_what_the_engines_read() -> None:
    known = {tag: sorted(attributes) for tag, attributes in ssml._ATTRIBUTES.items()}
    assert {**known, "speak": ["xml:lang"]} == SSML_ELEMENTS


def test_every_style_can_be_asked_for() -> None:
    for style in STYLES:
        factors = {name: value for name, value in style.items() if name != "id"}
        asked = VoiceInput.model_validate({"text": "x", **factors})
        assert asked.model_dump(include=set(factors)) == factors
