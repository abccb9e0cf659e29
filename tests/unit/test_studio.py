"""The page, the static files and the headers around them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from aigc import studio


@pytest.fixture
def dist(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """A built page."""
    settings.FRONTEND_DIST = tmp_path / "dist"
    assets = settings.FRONTEND_DIST / "assets"
    assets.mkdir(parents=True)
    (settings.FRONTEND_DIST / "index.html").write_text("<!doctype html><title>Studio</title>")
    (assets / "index-B1x_9-aZ.js").write_text("console.log(1)")
    (assets / "index-B1x_9-aZ.js.gz").write_bytes(b"packed")
    (settings.FRONTEND_DIST / "favicon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("not yours")
    studio._static_files.cache_clear()
    yield settings.FRONTEND_DIST
    studio._static_files.cache_clear()


@pytest.mark.usefixtures("dist")
@pytest.mark.parametrize(
    "address", ["/", "/chat", "/image", "/voice", "/jobs", "/jobs/0193-77", "/sign-in", "/welcome/a_B-9"]
)
def test_every_place_of_the_studio_is_the_one_page(client: Client, address: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, answer.text) == (200, "<!doctype html><title>Studio</title>")
    assert answer["Cache-Control"] == "no-cache"


@pytest.mark.usefixtures("dist")
@pytest.mark.parametrize(
    "address",
    ["/api/v1/nothing", "/api", "/ws/v1", "/static/studio/nothing.js", "/favicon.ico", "/.env", "/admin.php"],
)
def test_what_is_no_place_of_the_studio_is_404(client: Client, address: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.usefixtures("dist")
def test_names_with_a_hash_are_kept_for_ever_and_others_are_not(client: Client) -> None:
    script = client.get("/static/studio/assets/index-B1x_9-aZ.js")
    assert (script.status_code, script.content) == (200, b"console.log(1)")
    assert "immutable" in script["Cache-Control"]
    assert script["Content-Type"].startswith("text/javascript")
    assert "immutable" not in client.get("/static/studio/favicon.svg")["Cache-Control"]


@pytest.mark.usefixtures("dist")
def test_a_packed_twin_is_sent_to_who_can_read_it(client: Client) -> None:
    answer = client.get("/static/studio/assets/index-B1x_9-aZ.js", headers={"Accept-Encoding": "gzip"})
    assert (answer.content, answer["Content-Encoding"]) == (b"packed", "gzip")


@pytest.mark.usefixtures("dist")
def test_a_file_that_has_not_changed_is_not_sent_again(client: Client) -> None:
    url = "/static/studio/favicon.svg"
    first = client.get(url)
    again = client.get(url, headers={"If-Modified-Since": first["Last-Modified"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.head(url).content == b""


@pytest.mark.usefixtures("dist")
@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "..%2Fsecret.txt",
        "%2e%2e/secret.txt",
        "assets/../../secret.txt",
        "/etc/passwd",
        "..\\secret.txt",
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_no_file_outside_is_served(client: Client, settings: Settings, path: str, debug: bool) -> None:
    settings.DEBUG = debug
    studio._static_files.cache_clear()
    answer = client.get(f"/static/studio/{path}")
    assert answer.status_code in {400, 404}
    assert b"not yours" not in answer.content
    assert b"root:" not in answer.content


@pytest.mark.usefixtures("dist")
def test_the_admin_has_its_files(client: Client) -> None:
    assert client.get("/static/admin/css/base.css").status_code == 200


def test_a_rebuilt_page_shows_at_once_with_debug(client: Client, settings: Settings, dist: Path) -> None:
    settings.DEBUG = True
    studio._static_files.cache_clear()
    assert client.get("/static/studio/new.txt").status_code == 404
    (dist / "new.txt").write_text("new")
    assert client.get("/static/studio/new.txt").content == b"new"


def test_without_a_build_the_page_says_how_to_build_it(
    client: Client, settings: Settings, tmp_path: Path
) -> None:
    settings.FRONTEND_DIST = tmp_path / "nowhere"
    answer = client.get("/chat")
    assert answer.status_code == 503
    assert "make run" in answer.text
    assert "npm ci" in answer.text


@pytest.mark.usefixtures("dist")
def test_the_page_may_run_nothing_inline_and_call_nobody_else(client: Client) -> None:
    headers = client.get("/").headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'self'",
        "img-src": "'self' data: blob:",
        "media-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers


@pytest.mark.usefixtures("dist")
@pytest.mark.parametrize(
    ("address", "relaxed"),
    [
        ("/api/docs", True),
        ("/admin/", True),
        ("/administration", False),
        ("/api/docs-of-mine", False),
        ("/", False),
    ],
)
def test_the_policy_is_relaxed_only_where_it_must_be(client: Client, address: str, relaxed: bool) -> None:
    assert ("unsafe-inline" in client.get(address)["Content-Security-Policy"]) is relaxed


@pytest.mark.usefixtures("dist")
def test_with_tls_browsers_are_told_to_stay_with_it(client: Client, settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = True
    assert client.get("/")["Strict-Transport-Security"].startswith("max-age=31536000")
