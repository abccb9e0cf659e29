"""The page's types of the API are those that the code's OpenAPI document gives, and the document says enough."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from deploy.local.environment import Environment
from deploy.local.page import Page
from tests.stack import ROOT

FRONTEND = ROOT / "frontend"
TOOL = FRONTEND / "node_modules" / "openapi-typescript" / "bin" / "cli.js"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # the library's
    return made


@pytest.mark.skipif(
    not TOOL.is_file(), reason="The page's packages are not installed; make setup installs them."
)
def test_the_committed_types_are_what_the_code_gives(document: dict[str, Any], tmp_path: Path) -> None:
    source, written = tmp_path / "openapi.json", tmp_path / "schema.d.ts"
    source.write_text(json.dumps(document))
    script = json.loads((FRONTEND / "package.json").read_text())["scripts"]["schema"]
    flags = [word for word in shlex.split(script) if word.startswith("--")]
    (node, *_), environ = Page(ROOT, Environment(ROOT, os.environ), os.environ).npm_command()
    command = [node, str(TOOL), str(source), *flags, "-o", str(written)]
    done = subprocess.run(command, cwd=FRONTEND, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    committed = (FRONTEND / "src" / "api" / "schema.d.ts").read_text()
    assert written.read_text() == committed, "the API has changed; run make schema"


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate_schema(document)  # type: ignore[no-untyped-call]  # the library's


def test_every_address_of_the_api_is_described(document: dict[str, Any]) -> None:
    def addresses(patterns: list[Any], before: str = "") -> set[str]:
        found: set[str] = set()
        for each in patterns:
            here = before + str(each.pattern)
            if isinstance(each, URLResolver):
                found |= addresses(each.url_patterns, here)
            elif isinstance(each, URLPattern) and here.startswith("api/v1/"):
                found.add("/" + here.replace("<str:", "{").replace(">", "}"))
        return found

    assert addresses(get_resolver().url_patterns) == set(document["paths"])


def test_no_answer_is_an_object_of_which_nothing_is_said(document: dict[str, Any]) -> None:
    unsaid = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                schema = answer.get("content", {}).get("application/json", {}).get("schema")
                if schema is not None and "$ref" not in schema:
                    unsaid.append(f"{method} {path} {status}")
    # The kinds' own schemas, and the file of an export.
    assert [each for each in unsaid if "/kinds" not in each and "/export" not in each] == []
