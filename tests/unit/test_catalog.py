"""The catalogue: what it lists first, what it hands to workers, and who changes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import translation
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from aigc.lib.errors import AppError, ErrorCode, NotAllowed
from apps.accounts.actors import Actor
from apps.audit.models import Action, AuditEntry
from apps.catalog import services
from apps.catalog.models import ENGINES_OF_MEDIUM, Engine, Medium, Model
from apps.catalog.seeds import SEEDS
from apps.catalog.selectors import ModelDisabled, ModelNotFound, ModelSpecFields, get_model_spec, spec_of
from apps.catalog.services import disable_model, enable_model, make_default, seed_catalog
from gpu_workers.contract.messages import ModelSpec
from tests.unit.accounts_people import make_actor

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def demo_folder(settings: Settings, tmp_path: Path) -> Path:
    """Where trained demo models would lie; empty."""
    settings.DEMO_MODELS_DIR = tmp_path
    return tmp_path


@pytest.fixture
def catalog() -> None:
    """The first entries."""
    seed_catalog()


@pytest.fixture
def staff() -> Actor:
    """Whoever runs the installation."""
    return make_actor("ada", is_staff=True)


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[ModelSpecFields]:
    """What the registered hook was told."""
    told: list[ModelSpecFields] = []
    monkeypatch.setattr(services, "_on_enable", [])
    services.register_on_enable(told.append)
    return told


class TestSeeds:
    """`seed_catalog`."""

    @pytest.mark.usefixtures("catalog")
    def test_every_medium_has_an_enabled_default(self) -> None:
        defaults = {medium: get_model_spec(None, medium)["id"] for medium in Medium.values}
        assert defaults == {"chat": "demo-chat", "image": "demo-image", "voice": "espeak"}

    @pytest.mark.usefixtures("catalog")
    def test_models_that_cost_a_download_or_money_are_listed_disabled_with_their_size(self) -> None:
        waiting = Model.objects.filter(enabled=False)
        sizes = {model.source: model.size_bytes for model in waiting}
        assert sizes == {
            "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": 3_600_000_000,
            "stabilityai/stable-diffusion-xl-base-1.0": 6_900_000_000,
            "tts_models/en/ljspeech/vits": 150_000_000,
            "https://api.deepseek.com": 0,
        }

    @pytest.mark.usefixtures("catalog")
    def test_every_entry_passes_the_checks_of_the_admin_form_and_of_the_workers(self) -> None:
        for model in Model.objects.all():
            model.full_clean()
            assert ModelSpec(**cast("Any", spec_of(model))).id == model.pk

    @pytest.mark.usefixtures("catalog")
    def test_untrained_models_say_so(self) -> None:
        untrained = dict(Model.objects.filter(random=True).values_list("pk", "name"))
        assert set(untrained) == {"demo-chat", "demo-image", "demo-voice"}
        assert all("tiny random (untrained)" in name for name in untrained.values())

    @pytest.mark.parametrize("file", ["config.json", "unet/model.safetensors"])
    def test_a_trained_model_beside_it_makes_the_demo_a_demo(self, demo_folder: Path, file: str) -> None:
        place = demo_folder / "chat" / file
        place.parent.mkdir(parents=True)
        place.write_bytes(b"{}")
        seed_catalog()
        chat = Model.objects.get(pk="demo-chat")
        assert (chat.name, chat.random, chat.demo) == ("Chat: Demo", False, True)

    def test_names_follow_when_a_trained_model_appears_or_goes(self, demo_folder: Path) -> None:
        seed_catalog()
        config = demo_folder / "image" / "config.json"
        config.parent.mkdir()
        config.write_text("{}")
        seed_catalog()
        assert values("demo-image") == ("Image: Demo", False)
        config.unlink()
        seed_catalog()
        assert values("demo-image") == ("Image: tiny random (untrained)", True)

    def test_a_second_run_adds_nothing_and_keeps_what_people_wrote(self, staff: Actor) -> None:
        assert seed_catalog() == [seed.id for seed in SEEDS]
        Model.objects.filter(pk="demo-chat").update(name="Our chat", notes="Ours", options={"max_tokens": 9})
        enable_model(staff, "vits-ljspeech")
        make_default(staff, "vits-ljspeech")
        before = list(Model.objects.order_by("pk").values())

        assert seed_catalog() == []

        assert list(Model.objects.order_by("pk").values()) == before

    def test_a_missing_entry_comes_back_beside_another_default(self, staff: Actor) -> None:
        seed_catalog()
        make_default(staff, "demo-voice")
        Model.objects.filter(pk="espeak").delete()

        assert seed_catalog() == ["espeak"]

        assert not Model.objects.get(pk="espeak").is_default
        assert get_model_spec(None, "voice")["id"] == "demo-voice"

    def test_the_command_names_what_it_added(self, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("seed_catalog")
        assert "demo-chat" in capsys.readouterr().out
        call_command("seed_catalog")
        assert capsys.readouterr().out == ""


def values(model_id: str) -> tuple[str, bool]:
    """Name and whether it is untrained."""
    model = Model.objects.get(pk=model_id)
    return model.name, model.random


@pytest.mark.usefixtures("catalog")
class TestSpecs:
    """`get_model_spec`."""

    def test_a_spec_has_the_fields_of_the_worker_contract(self) -> None:
        Model.objects.filter(pk="demo-chat").update(options={"max_tokens": 9}, quantization="int8")
        assert get_model_spec("demo-chat", "chat") == {
            "id": "demo-chat",
            "medium": "chat",
            "engine": "deepseek",
            "source": "demo:chat",
            "revision": "",
            "quantization": "int8",
            "dtype": "auto",
            "options": {"max_tokens": 9},
        }

    @pytest.mark.parametrize("model_id", ["nothing", "demo-image", "DEMO-CHAT", "x" * 500, "\x00"])
    def test_an_unknown_model_or_one_of_another_medium_is_not_found(self, model_id: str) -> None:
        with pytest.raises(ModelNotFound) as refused:
            get_model_spec(model_id, "chat")
        assert (refused.value.status, refused.value.code) == (404, ErrorCode.MODEL_NOT_FOUND)
        assert refused.value.data["field"] == "model"
        assert len(refused.value.message) < 300

    def test_a_disabled_model_has_a_code_of_its_own(self) -> None:
        with pytest.raises(ModelDisabled, match="vits-ljspeech is not enabled") as refused:
            get_model_spec("vits-ljspeech", "voice")
        assert (refused.value.status, refused.value.code) == (404, ErrorCode.MODEL_DISABLED)

    def test_without_a_default_the_sentence_says_what_to_do(self) -> None:
        Model.objects.update(is_default=False)
        with pytest.raises(ModelNotFound, match="No model is the default for chat; name one"):
            get_model_spec(None, "chat")


@pytest.mark.usefixtures("catalog")
class TestChanges:
    """Enabling, disabling, choosing the default."""

    def test_enabling_announces_the_model_after_the_commit(
        self,
        staff: Actor,
        announced: list[ModelSpecFields],
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            enable_model(staff, "vits-ljspeech")
            assert announced == []

        assert [spec["id"] for spec in announced] == ["vits-ljspeech"]
        assert get_model_spec("vits-ljspeech", "voice")["source"] == "tts_models/en/ljspeech/vits"
        entry = AuditEntry.objects.get(action=Action.MODEL_ENABLED)
        assert (entry.actor_id, entry.target_id) == (staff.user_id, "vits-ljspeech")

    def test_enabling_again_fetches_again_but_is_noted_once(
        self,
        staff: Actor,
        announced: list[ModelSpecFields],
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            enable_model(staff, "vits-ljspeech")
            enable_model(staff, "vits-ljspeech")
        assert len(announced) == 2
        assert AuditEntry.objects.filter(action=Action.MODEL_ENABLED).count() == 1

    def test_a_hook_is_called_once_however_often_it_registers(self, announced: list[ModelSpecFields]) -> None:
        hook = announced.append
        services.register_on_enable(hook)
        services.register_on_enable(hook)
        assert services._on_enable.count(hook) == 1

    def test_a_disabled_model_is_not_offered(self, staff: Actor) -> None:
        disable_model(staff, "demo-voice")
        with pytest.raises(ModelDisabled):
            get_model_spec("demo-voice", "voice")
        assert AuditEntry.objects.filter(action=Action.MODEL_DISABLED, target_id="demo-voice").exists()

    def test_the_default_cannot_be_disabled(self, staff: Actor) -> None:
        with pytest.raises(AppError, match="make another model the default first"):
            disable_model(staff, "espeak")
        assert get_model_spec(None, "voice")["id"] == "espeak"
        with translation.override("zh-hans"), pytest.raises(AppError, match="请先把另一个模型设为默认"):
            disable_model(staff, "espeak")

    def test_a_new_default_replaces_the_old(self, staff: Actor) -> None:
        make_default(staff, "demo-voice")
        assert get_model_spec(None, "voice")["id"] == "demo-voice"
        assert AuditEntry.objects.get(action=Action.MODEL_CHANGED).data == {
            "is_default": {"old": ["espeak"], "new": "demo-voice"}
        }

    def test_a_disabled_model_cannot_be_the_default(self, staff: Actor) -> None:
        with pytest.raises(AppError, match="enable it first"):
            make_default(staff, "vits-ljspeech")

    @pytest.mark.parametrize("change", [enable_model, disable_model, make_default])
    def test_only_staff_change_the_catalogue(self, change: Callable[[Actor, str], None]) -> None:
        before = list(Model.objects.order_by("pk").values())
        with pytest.raises(NotAllowed):
            change(make_actor("grace"), "demo-voice")
        assert list(Model.objects.order_by("pk").values()) == before

    @pytest.mark.parametrize("change", [enable_model, disable_model, make_default])
    def test_an_unknown_model_is_not_found(self, staff: Actor, change: Callable[[Actor, str], None]) -> None:
        with pytest.raises(ModelNotFound):
            change(staff, "nothing")


@pytest.mark.usefixtures("catalog")
class TestRules:
    """What the database and the form refuse."""

    @pytest.mark.parametrize(
        ("change", "constraint"),
        [
            ({"is_default": True}, "medium"),
            (
                {"is_default": True, "medium": "chat", "engine": "deepseek", "enabled": False},
                "default_is_enabled",
            ),
            ({"engine": "sdxl"}, "model_engine_fits_medium"),
        ],
    )
    def test_the_database_refuses(self, change: dict[str, object], constraint: str) -> None:
        Model.objects.filter(pk="demo-chat").update(is_default=False)
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            Model.objects.filter(pk="demo-voice").update(**change)

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"id": "Not A Slug"}, "id"),
            ({"id": "a/b"}, "id"),
            ({"engine": "sdxl"}, "engine"),
            ({"options": [1]}, "options"),
            ({"languages": "en"}, "languages"),
            ({"languages": [1]}, "languages"),
            ({"is_default": True, "enabled": False}, "is_default"),
        ],
    )
    def test_the_form_says_what_is_wrong(self, change: dict[str, object], field: str) -> None:
        model = Model(id="mine", name="Mine", medium="chat", engine="openai", enabled=True)
        model.full_clean()
        for name, value in change.items():
            setattr(model, name, value)
        with pytest.raises(ValidationError) as refused:
            model.full_clean()
        assert field in refused.value.message_dict

    def test_every_engine_makes_exactly_one_medium(self) -> None:
        engines = [engine for engines in ENGINES_OF_MEDIUM.values() for engine in engines]
        assert sorted(engines) == sorted(Engine.values)
