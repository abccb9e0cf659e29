"""What a catalogue entry may say to the `openai` engine, read once and checked when the model loads.

`spec.source` is the server's base URL, such as `https://api.deepseek.com/v1`. Options, of which only `model`
must be there:

- `model`: the model's name on that server.
- `api_key_env`: the name of the environment variable with the key; `NAME_FILE` may name a file with it.
- `standby` with `standby_model`, `standby_api_key_env`, `standby_supports_continue`: a second server,
  used while the first fails. It never gets the first one's key.
- `supports_continue`: how a partial answer is continued there, `deepseek_prefix` or `vllm_continue`.
- `connect_timeout_s` (5), `first_token_timeout_s` (120, from asking), `idle_timeout_s` (60, between tokens).
- `attempts` (4), `retry_wait_s` (0.25, doubling) up to `retry_wait_max_s` (5); a server that asks for a
  longer wait than `retry_after_cap_s` (20) is given up on.
- `breaker_failures` (5) in a row pause the server for `breaker_pause_s` (30).
- `sampling_extensions`: which of `top_k` and `repetition_penalty` the server takes.
- `vision`: true where the model reads pictures.
- `logprobs`: ask for the tokens' probabilities, for the confidence.
- `think_tags`: true where reasoning comes in the text, in `<think>` tags; `opened` where the prompt already
  opens the tag.
- `stream_usage`: false for servers that refuse `stream_options`.
- `trust_env`: use the proxies of the environment.
- `extra`: more fields for the request's body.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from yarl import URL

from gpu_workers.contract.messages import ModelSpec
from gpu_workers.engines.base import EngineError

Continuation = Literal["deepseek_prefix", "vllm_continue"]
EXTENSIONS = ("top_k", "repetition_penalty")
# Set by the engine itself: letting `extra` change them would break the stream or another user's text.
OWN_FIELDS = frozenset({"messages", "stream", "stream_options", "model", "n"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server: where it is, what the model is called there, and how a partial answer goes on there."""

    url: URL
    model: str
    continues: Continuation | None = None
    key: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Host and port, for messages: a URL could hold more than a reader should see."""
        return self.url.authority

    def headers(self) -> dict[str, str]:
        """Headers of every request; identity encoding, since compressed events arrive in lumps."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
        }
        return headers if self.key is None else headers | {"Authorization": f"Bearer {self.key}"}


@dataclass(frozen=True, slots=True)
class Options:
    """The checked options of one model."""

    model_id: str
    endpoints: tuple[Endpoint, ...]
    connect_timeout_s: float = 5.0
    first_token_timeout_s: float = 120.0
    idle_timeout_s: float = 60.0
    attempts: int = 4
    retry_wait_s: float = 0.25
    retry_wait_max_s: float = 5.0
    retry_after_cap_s: float = 20.0
    breaker_failures: int = 5
    breaker_pause_s: float = 30.0
    sampling_extensions: tuple[str, ...] = ()
    vision: bool = False
    logprobs: bool = False
    think_tags: bool | Literal["opened"] = False
    stream_usage: bool = True
    trust_env: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


NUMBERS = (
    "connect_timeout_s",
    "first_token_timeout_s",
    "idle_timeout_s",
    "attempts",
    "retry_wait_s",
    "retry_wait_max_s",
    "retry_after_cap_s",
    "breaker_failures",
    "breaker_pause_s",
)
COUNTS = frozenset({"attempts", "breaker_failures"})
SWITCHES = ("vision", "logprobs", "stream_usage", "trust_env")
NAMES = ("model", "api_key_env", "supports_continue", "standby", "sampling_extensions", "think_tags", "extra")
STANDBY_NAMES = ("standby_model", "standby_api_key_env", "standby_supports_continue")
KNOWN = frozenset((*NUMBERS, *SWITCHES, *NAMES, *STANDBY_NAMES))


def read_options(spec: ModelSpec) -> Options:
    """Check what the catalogue entry says. Raises EngineError `bad_options` or `missing_key`."""
    given = spec.options
    if unknown := sorted(set(given) - KNOWN):
        raise _bad(spec, f"has an unknown option {unknown[0]!r}; known: {', '.join(sorted(KNOWN))}")
    values: dict[str, Any] = {name: _number(spec, name) for name in NUMBERS if name in given}
    values |= {name: _switch(spec, name) for name in SWITCHES if name in given}
    return Options(
        model_id=spec.id,
        endpoints=_endpoints(spec),
        sampling_extensions=_extensions(spec),
        think_tags=_think_tags(spec),
        extra=_extra(spec),
        **values,
    )


def _endpoints(spec: ModelSpec) -> tuple[Endpoint, ...]:
    first = _endpoint(spec, spec.source, "source", prefix="")
    if not spec.options.get("standby"):
        return (first,)
    return first, _endpoint(spec, spec.options["standby"], "standby", prefix="standby_")


def _endpoint(spec: ModelSpec, base_url: object, place: str, *, prefix: str) -> Endpoint:
    options = spec.options
    model = options.get(f"{prefix}model") or options.get("model")
    if not isinstance(model, str) or not model:
        raise _bad(spec, "does not say what the model is called on its server; set the option `model`")
    continues = options.get(f"{prefix}supports_continue") or None
    if continues is not None and continues not in get_args(Continuation):
        known = ", ".join(get_args(Continuation))
        raise _bad(spec, f"has {prefix}supports_continue {continues!r}; known: {known}")
    return Endpoint(
        url=_completions_url(spec, base_url, place),
        model=model,
        continues=cast(Continuation | None, continues),
        key=_key(spec, options.get(f"{prefix}api_key_env")),
    )


def _completions_url(spec: ModelSpec, base_url: object, place: str) -> URL:
    try:
        url = URL(str(base_url))
        port_is_valid = url.port is not None
    except ValueError:
        port_is_valid = False
        url = URL()
    if url.scheme not in ("http", "https") or not url.host or not port_is_valid:
        raise _bad(
            spec,
            f"needs a base URL such as http://127.0.0.1:8000/v1 as its {place}, not {str(base_url)[:200]!r}",
        )
    if url.user is not None or url.password is not None or url.query_string:
        raise _bad(
            spec,
            f"has a user, password or query in its {place}; name the key's variable in api_key_env instead",
        )
    return url / "chat/completions" if not url.path.endswith("/chat/completions") else url


def _key(spec: ModelSpec, variable: object) -> str | None:
    if not variable:
        return None
    if not isinstance(variable, str) or not variable.isidentifier():
        # The value is not shown: somebody may have put the key itself here.
        raise _bad(spec, "needs the name of an environment variable in api_key_env, never the key itself")
    key = os.environ.get(variable, "").strip() or _key_of_file(spec, variable)
    if not key:
        raise EngineError(
            "missing_key",
            f"Model {spec.id} takes its key from the environment variable {variable}, which is not set for "
            f"this gpu worker. Set {variable} or {variable}_FILE and start the worker again.",
        )
    if not (key.isascii() and key.isprintable()):
        raise EngineError(
            "missing_key", f"The key in {variable} has characters that no header can carry; set it again."
        )
    return key


def _key_of_file(spec: ModelSpec, variable: str) -> str:
    path = os.environ.get(f"{variable}_FILE", "")
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise EngineError(
            "missing_key", f"Model {spec.id}: the file that {variable}_FILE names cannot be read ({reason})."
        ) from error


def _number(spec: ModelSpec, name: str) -> float:
    value = spec.options[name]
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6
    if name in COUNTS and not (is_number and isinstance(value, int) and value >= 1):
        raise _bad(spec, f"has {name} {value!r}; it must be a whole number from 1")
    if not is_number:
        raise _bad(spec, f"has {name} {value!r}; it must be a number of seconds from 0")
    return cast(float, value)


def _switch(spec: ModelSpec, name: str) -> bool:
    value = spec.options[name]
    if not isinstance(value, bool):
        raise _bad(spec, f"has {name} {value!r}; it must be true or false")
    return value


def _extensions(spec: ModelSpec) -> tuple[str, ...]:
    value = spec.options.get("sampling_extensions", ())
    if not isinstance(value, list | tuple) or not set(value) <= set(EXTENSIONS):
        raise _bad(spec, f"has sampling_extensions {value!r}; it must list some of {', '.join(EXTENSIONS)}")
    return tuple(value)


def _think_tags(spec: ModelSpec) -> bool | Literal["opened"]:
    value = spec.options.get("think_tags", False)
    if not isinstance(value, bool) and value != "opened":
        raise _bad(spec, f"has think_tags {value!r}; it must be true, false or 'opened'")
    return cast(bool | Literal["opened"], value)


def _extra(spec: ModelSpec) -> Mapping[str, Any]:
    value = spec.options.get("extra", {})
    if not isinstance(value, Mapping):
        raise _bad(spec, "has an `extra` that is not a mapping of body fields")
    if taken := sorted(OWN_FIELDS & set(value)):
        raise _bad(spec, f"sets {taken[0]!r} in `extra`, which the engine sets itself; take it out")
    return value


def _bad(spec: ModelSpec, what: str) -> EngineError:
    return EngineError("bad_options", f"Model {spec.id} {what}.")
