"""Settings: what is read, what is refused, and in which words."""

from __future__ import annotations

import os
import re
import runpy
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.backends.sqlite3.base import DatabaseWrapper

from aigc.lib.env import Environment, kept_secret

LONG = "k" * 50
SETTINGS = Path(__file__).parents[2] / "aigc" / "settings" / "__init__.py"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No AIGC_* variable but the data folder."""
    for name in [name for name in os.environ if name.startswith("AIGC_") or name == "PORT"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AIGC_DATA_DIR", str(tmp_path))
    return tmp_path


def settings_with(monkeypatch: pytest.MonkeyPatch, **variables: str) -> dict[str, Any]:
    """The settings module as these variables make it."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(SETTINGS))


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"AIGC_ENV": "production"}, "AIGC_ENV is 'production'; use one of dev, prod, test."),
        ({"AIGC_ENV": "prod"}, r"AIGC_SECRET_KEY \(or AIGC_SECRET_KEY_FILE\) is missing or shorter than 40"),
        ({"AIGC_ENV": "prod", "AIGC_SECRET_KEY": "short"}, "shorter than 40 characters"),
        ({"AIGC_ENV": "prod", "AIGC_SECRET_KEY": LONG, "AIGC_DEBUG": "1"}, "debug pages show secrets"),
        ({"PORT": "99999"}, "PORT is 99999; use a whole number from 1 to 65535."),
        ({"PORT": "http"}, "PORT is 'http'; use a whole number"),
        ({"AIGC_DEBUG": "perhaps"}, "AIGC_DEBUG is 'perhaps'; use 1 or 0."),
        ({"AIGC_BASE_URL": "studio.example.org"}, "AIGC_BASE_URL is 'studio.example.org'; write the address"),
        ({"AIGC_DATABASE_URL": "mysql://u:p@h/n"}, "AIGC_DATABASE_URL is not usable; write postgres://"),
        ({"AIGC_DATABASE_URL": "nonsense"}, "AIGC_DATABASE_URL is not usable; write postgres://"),
        ({"AIGC_REDIS_URL": "localhost:6379"}, "AIGC_REDIS_URL is not usable; write redis://"),
        ({"AIGC_SECRET_KEY": LONG, "AIGC_SECRET_KEY_FILE": "/x"}, "are both set; keep one of them"),
        (
            {"AIGC_SECRET_KEY_FILE": "/nowhere/key"},
            "AIGC_SECRET_KEY_FILE is '/nowhere/key' and cannot be read",
        ),
        ({"AIGC_LOG_LEVEL": "LOUD"}, "AIGC_LOG_LEVEL is 'LOUD'; use one of DEBUG"),
    ],
)
def test_a_bad_setting_stops_the_start_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence):
        settings_with(monkeypatch, **variables)


def test_all_faults_are_shown_at_once_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        settings_with(monkeypatch, AIGC_ENV="prod", PORT="0", AIGC_DATABASE_URL="mysql://u:hunter2@h/n")
    assert str(refused.value).count("\n- ") == 3
    assert "hunter2" not in str(refused.value)


def test_production_has_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(LONG + "\n")
    made = settings_with(
        monkeypatch,
        AIGC_ENV="prod",
        AIGC_SECRET_KEY_FILE=str(key),
        AIGC_BASE_URL="https://studio.example.org",
    )
    assert made["SECRET_KEY"] == LONG
    assert not (tmp_path / "secret.key").exists()
    assert (made["SESSION_COOKIE_SECURE"], made["CSRF_COOKIE_SECURE"], made["DEBUG"]) == (True, True, False)
    assert made["PASSWORD_HASHERS"] == ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    assert "studio.example.org" in made["ALLOWED_HOSTS"]
    assert made["CSRF_TRUSTED_ORIGINS"] == ["https://studio.example.org"]


def test_development_keeps_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, second = settings_with(monkeypatch), settings_with(monkeypatch)
    assert first["SECRET_KEY"] == second["SECRET_KEY"] == (tmp_path / "secret.key").read_text()
    assert len(first["SECRET_KEY"]) >= 50
    assert first["DEBUG"] is False


def test_the_kept_key_is_for_its_owner_only_and_one_for_all_who_ask_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret.key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: kept_secret(path), range(32)))
    assert len(keys) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret.key"]


def test_postgres_is_pooled_since_asgi_has_no_lasting_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgres://studio:pass%20word@db.example.org:5433/aigc?sslmode=require"
    database = settings_with(monkeypatch, AIGC_DATABASE_URL=url, AIGC_DATABASE_POOL="12")["DATABASES"][
        "default"
    ]
    assert (database["ENGINE"], database["HOST"], database["PORT"]) == (
        "django.db.backends.postgresql", "db.example.org", 5433,
    )  # fmt: skip
    assert (database["NAME"], database["USER"], database["PASSWORD"]) == ("aigc", "studio", "pass word")
    assert database["OPTIONS"]["pool"]["max_size"] == 12
    assert database["OPTIONS"]["sslmode"] == "require"
    assert database["CONN_MAX_AGE"] == 0


def test_sqlite_is_the_default_and_is_set_up_for_many_writers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    database = settings_with(monkeypatch)["DATABASES"]["default"]
    assert database["NAME"] == str(tmp_path / "db.sqlite3")
    elsewhere = settings_with(monkeypatch, AIGC_DATABASE_URL=f"sqlite:///{tmp_path}/other.db")
    assert elsewhere["DATABASES"]["default"] == {**database, "NAME": f"{tmp_path}/other.db"}


@pytest.mark.django_db
def test_the_sqlite_pragmas_hold_in_a_real_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    database = settings_with(monkeypatch)["DATABASES"]["default"]
    defaults = {**connection.settings_dict, "TIME_ZONE": None, "TEST": {}}
    wrapper = DatabaseWrapper({**defaults, **database}, alias="pragmas")
    try:
        with wrapper.cursor() as cursor:
            pragmas = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in PRAGMAS}
        wrapper.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sqlite3.connect(database["NAME"], timeout=0).execute("BEGIN IMMEDIATE")
        wrapper.rollback()
    finally:
        wrapper.close()
    assert pragmas == PRAGMAS


PRAGMAS = {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 20_000, "foreign_keys": 1}


@pytest.mark.parametrize("text", ["1", "yes", "TRUE", " on "])
def test_a_flag_can_be_said_in_several_words(text: str) -> None:
    assert Environment({"X": text}).flag("X", default=False) is True


@pytest.mark.parametrize("text", ["0", "no", "False", "off", ""])
def test_a_flag_can_be_denied_in_several_words(text: str) -> None:
    assert Environment({"X": text}).flag("X", default=True) is False


@pytest.mark.parametrize(
    ("text", "good"), [("0.5", True), ("", True), ("nan", False), ("61", False), ("x", False)]
)
def test_a_number_stays_within_its_limits(text: str, good: bool) -> None:
    env = Environment({"X": text})
    env.number("X", 5.0, at_least=0.5, at_most=60.0)
    if good:
        env.check()
    else:
        with pytest.raises(ImproperlyConfigured, match=r"X is .*; use a number from 0\.5 to 60\.0\."):
            env.check()


def test_an_empty_secret_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    env = Environment({"X_FILE": str(tmp_path / "empty")})
    env.secret("X")
    with pytest.raises(ImproperlyConfigured, match=re.escape("and the file is empty")):
        env.check()
