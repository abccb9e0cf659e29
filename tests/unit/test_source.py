"""Model files are found where the catalogue says, and what is not there is told in a sentence."""

from __future__ import annotations

import hashlib
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

import gpu_workers.demo
from gpu_workers.contract.events import Progress
from gpu_workers.contract.messages import ModelSpec
from gpu_workers.engines import source
from gpu_workers.engines.base import EngineError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b"{}",
    "model.safetensors": bytes(300_000),
    "pytorch_model.bin": b"a pickle",
}


def spec(where: str, revision: str = "") -> ModelSpec:
    return ModelSpec(id="m", medium="chat", engine="deepseek", source=where, revision=revision)


def refusal(where: str, revision: str = "") -> EngineError:
    with pytest.raises(EngineError) as caught:
        source.resolve(spec(where, revision), lambda _: None)
    return caught.value


# --- folders


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert source.resolve(spec(str(tmp_path)), lambda _: None) == tmp_path


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    error = refusal(f"{tmp_path}/nothing")
    assert error.code == "model_not_found"
    assert f"{tmp_path}/nothing" in error.message


@pytest.mark.parametrize(
    "where", ["", "gpt", "a/b/c", "demo:", "demo:../x", "demo:nobody", "https://example.org/x"]
)
def test_a_source_of_no_known_form_is_refused(where: str) -> None:
    error = refusal(where)
    assert error.code == "bad_source"
    assert repr(where) in error.message


# --- demos


@pytest.fixture
def demos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of demo builders beside the real ones, and a data folder."""
    folder = tmp_path / "demos"
    folder.mkdir()
    monkeypatch.setattr(gpu_workers.demo, "__path__", [*gpu_workers.demo.__path__, str(folder)])
    monkeypatch.setenv("AIGC_DATA_DIR", str(tmp_path / "data"))
    yield folder
    sys.modules.pop("gpu_workers.demo.tiny_probe", None)


def write_builder(demos: Path, content: str) -> None:
    sys.modules.pop("gpu_workers.demo.tiny_probe", None)
    (demos / "tiny_probe.py").write_text(
        "import time\n"
        "def build(folder):\n"
        "    (folder / 'config.json').write_text('{}')\n"
        "    time.sleep(0.05)\n"
        f"    (folder / 'weights').write_text({content!r})\n"
    )


def test_a_demo_is_built_once_and_named_tiny(demos: Path, tmp_path: Path) -> None:
    write_builder(demos, "one")
    seen: list[Progress] = []
    folder = source.resolve(spec("demo:probe"), seen.append)
    assert folder == tmp_path / "data" / "models" / "tiny-probe"
    assert (folder / "weights").read_text() == "one"
    assert [(p.step, p.stage) for p in seen] == [(0, "load"), (1, "load")]
    made = (folder / "weights").stat().st_mtime_ns
    assert source.resolve(spec("demo:probe"), seen.append) == folder
    assert (folder / "weights").stat().st_mtime_ns == made


def test_a_demo_is_built_again_when_its_builder_changed(demos: Path) -> None:
    write_builder(demos, "one")
    source.resolve(spec("demo:probe"), lambda _: None)
    write_builder(demos, "another")
    folder = source.resolve(spec("demo:probe"), lambda _: None)
    assert (folder / "weights").read_text() == "another"
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]


def test_many_that_build_at_once_all_see_a_whole_model(demos: Path) -> None:
    write_builder(demos, "whole")
    seen: list[str] = []

    def look() -> None:
        folder = source.resolve(spec("demo:probe"), lambda _: None)
        seen.append((folder / "weights").read_text())

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["whole"] * 8


def test_a_shipped_demo_comes_before_a_tiny_one(
    demos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_builder(demos, "tiny")
    shipped = tmp_path / "shipped" / "probe"
    shipped.mkdir(parents=True)
    (shipped / "config.json").write_text("{}")
    monkeypatch.setenv("AIGC_DEMO_MODELS_DIR", str(shipped.parent))
    assert source.resolve(spec("demo:probe"), lambda _: None) == shipped


# --- the hub


class FakeHub(BaseHTTPRequestHandler):
    """As much of the hub's HTTP interface as a download needs, with one repository: `org/model`."""

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        if path == "/":
            self.send(200, b"", body=body)
        elif path == "/api/models/org/model/revision/main":
            self.send_json({"id": "org/model", "sha": COMMIT, "siblings": []})
        elif path.startswith(f"/api/models/org/model/tree/{COMMIT}"):
            self.send_json(
                [
                    {"type": "file", "path": name, "size": len(data), "oid": etag(data)}
                    for name, data in FILES.items()
                ]
            )
        elif path.startswith(f"/org/model/resolve/{COMMIT}/"):
            data = FILES[path.rpartition("/")[2]]
            self.send(200, data, {"ETag": f'"{etag(data)}"', "X-Repo-Commit": COMMIT}, body=body)
        elif path.startswith("/api/models/org/model/revision/"):
            self.send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        else:
            self.send(401, b"", {"X-Error-Code": "RepoNotFound"})

    def send_json(self, value: object) -> None:
        self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send(
        self, status: int, data: bytes, headers: dict[str, str] | None = None, *, body: bool = True
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_args: object) -> None:  # type: ignore[explicit-override]  # Python 3.12
        """Tests are quiet."""


def etag(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    use_endpoint(monkeypatch, server.server_address[1])
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def use_endpoint(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    endpoint = f"http://127.0.0.1:{port}"
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix(constants.ENDPOINT)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + template)


def test_a_download_reports_its_bytes_and_takes_no_pickles(hub: ThreadingHTTPServer) -> None:
    seen: list[Progress] = []
    folder = source.resolve(spec("org/model"), seen.append)
    assert sorted(entry.name for entry in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert {(p.stage, p.unit) for p in seen} == {("download", "bytes")}
    total = len(FILES["config.json"]) + len(FILES["model.safetensors"])
    assert (seen[-1].step, seen[-1].steps) == (total, total)
    assert [p.step for p in seen] == sorted(p.step for p in seen)


def test_what_was_downloaded_needs_no_internet_again(
    hub: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = source.resolve(spec("org/model"), lambda _: None)
    use_endpoint(monkeypatch, closed_port())
    assert source.resolve(spec("org/model"), lambda _: None) == folder


def test_a_repository_or_revision_that_is_not_there_is_named(hub: ThreadingHTTPServer) -> None:
    assert "'org/nothing'" in refusal("org/nothing").message
    error = refusal("org/model", revision="v9")
    assert error.code == "model_not_found"
    assert "'v9'" in error.message


def test_no_internet_is_a_sentence(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_endpoint(monkeypatch, closed_port())
    error = refusal("org/model")
    assert (error.code, error.retryable) == ("no_internet", True)
    assert "org/model" in error.message


def test_a_hub_that_hangs_is_given_up_in_time(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "HUB_PROBE_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_endpoint(monkeypatch, silent.getsockname()[1])
        begun_s = time.monotonic()
        assert refusal("org/model").code == "no_internet"
        assert time.monotonic() - begun_s < 2


def test_the_time_limit_leaves_the_promised_ten_seconds() -> None:
    assert source.HUB_PROBE_TIMEOUT_S + 1 < 10


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
