"""Asks the web process whether the whole product is ready, and what is missing when it is not."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass

TIMEOUT_S = 5.0
# A proxy of the environment must not stand between this machine and itself.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Readiness:
    """Ready, or the names of what is missing as `/readyz` gives them."""

    ready: bool
    missing: str


def ask(address: str) -> Readiness:
    """One call of `/readyz`; a web process that does not answer yet is what is missing."""
    try:
        with _direct.open(f"{address}/readyz", timeout=TIMEOUT_S):
            return Readiness(ready=True, missing="")
    except urllib.error.HTTPError as error:
        with error:
            return Readiness(ready=False, missing=_names(error.read()) or f"/readyz answers {error.code}")
    except OSError:
        return Readiness(ready=False, missing="web")


def _names(body: bytes) -> str:
    """The names in an answer such as `{"error": {"missing": ["redis"]}}`."""
    try:
        missing = json.loads(body)["error"]["missing"]
    except (ValueError, KeyError, TypeError):
        return ""
    return ", ".join(str(name) for name in missing)
