"""compose.yaml and the images: complete, not root, no secret in the environment, in step with `make run`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.environment import UV_VERSION
from deploy.local.options import read_options
from deploy.local.processes import processes

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "deploy/docker/Dockerfile").read_text(encoding="utf-8")
OURS = [name for name, service in SERVICES.items() if "build" in service]


def test_every_process_of_make_run_has_a_service() -> None:
    local = {process.name for process in processes(read_options(ROOT, {}), ["redis-server"])}
    assert local | {"postgres", "prepare"} == set(SERVICES)


@pytest.mark.parametrize("name", ["gpu-chat", "gpu-image", "gpu-voice"])
def test_gpu_workers_start_as_under_make_run_but_for_paths(name: str) -> None:
    local = next(p for p in processes(read_options(ROOT, {}), None) if p.name == name).command
    ours = [re.sub(r"\$\{\w+:-(.*)\}", r"\1", word) for word in SERVICES[name]["command"]]
    flags = list(local[local.index("-A") :])
    assert sorted(ours[1:]) == sorted(flags)


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_secrets_that_a_service_uses_are_mounted_and_declared(name: str) -> None:
    service = SERVICES[name]
    mounted = service.get("secrets", [])
    named = set(re.findall(r"/run/secrets/(\w+)", str(service)))
    assert named == set(mounted)
    assert named <= set(COMPOSE["secrets"])


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_password_is_written_in_the_file(name: str) -> None:
    for key, value in SERVICES[name].get("environment", {}).items():
        if "PASSWORD" in key or "SECRET" in key:
            assert str(value).startswith(("/run/secrets/", "${"))


def test_gpu_workers_are_given_redis_and_nothing_of_the_database() -> None:
    for name in ("gpu-chat", "gpu-image", "gpu-voice"):
        assert SERVICES[name]["secrets"] == ["redis_url"]


def test_only_the_web_service_is_reached_from_outside_and_by_default_from_this_machine_only() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["web"]
    assert SERVICES["web"]["ports"] == ["${AIGC_PUBLISH:-127.0.0.1:8000}:8000"]


def test_every_target_and_volume_exists() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    assert {SERVICES[name]["build"]["target"] for name in OURS} <= stages
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


@pytest.mark.parametrize("target", ["web", "cpu", "gpu"])
def test_images_do_not_run_as_root(target: str) -> None:
    stage = re.split(rf"^FROM \S+ AS {target}$", DOCKERFILE, flags=re.MULTILINE)[1].split("\nFROM ")[0]
    assert "\nUSER 10001\n" in stage


def test_only_the_gpu_image_has_model_libraries() -> None:
    for target in ("web", "cpu"):
        stage = re.split(rf"^FROM \S+ AS {target}$", DOCKERFILE, flags=re.MULTILINE)[1].split("\nFROM ")[0]
        assert "COPY --from=web-packages /opt/venv" in stage
        assert "gpu-packages" not in stage


def test_images_and_make_run_install_with_the_same_uv() -> None:
    assert f"ARG UV_VERSION={UV_VERSION}\n" in DOCKERFILE


def test_what_the_images_copy_exists() -> None:
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        *sources, _target = line.split()
        for source in sources:
            assert (ROOT / source).exists(), source
