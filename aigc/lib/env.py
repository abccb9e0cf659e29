"""Typed reading of environment variables: every fault is a sentence, and all of them are shown at once."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

Number = TypeVar("Number", int, float)

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off", ""})


class Environment:
    """Reads variables, collects what is wrong, and `check()` raises it together.

    A faulty variable gives a harmless placeholder until `check()` is called, so that one start shows every
    fault and not only the first.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._faults: list[str] = []

    def fault(self, sentence: str) -> None:
        """Note a fault for `check()`."""
        self._faults.append(sentence)

    def check(self) -> None:
        """Raise ImproperlyConfigured when any variable was faulty."""
        if self._faults:
            raise ImproperlyConfigured("The settings are not usable:\n- " + "\n- ".join(self._faults))

    def text(self, name: str, default: str = "") -> str:
        """The variable without surrounding blanks; an empty one counts as not set."""
        return self._values.get(name, "").strip() or default

    def words(self, name: str, default: list[str] | None = None) -> list[str]:
        """A list written with commas."""
        found = [word.strip() for word in self._values.get(name, "").split(",") if word.strip()]
        return found or list(default or [])

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """One of `choices`."""
        value = self.text(name, default)
        if value not in choices:
            self.fault(f"{name} is {value!r}; use one of {', '.join(choices)}.")
            return default
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """A yes or a no."""
        value = self._values.get(name)
        if value is None:
            return default
        word = value.strip().lower()
        if word not in TRUE_WORDS | FALSE_WORDS:
            self.fault(f"{name} is {value!r}; use 1 or 0.")
        return word in TRUE_WORDS

    def integer(self, name: str, default: int, *, at_least: int, at_most: int) -> int:
        """A whole number between the two limits, both allowed."""
        return self._number(int, name, default, at_least, at_most)

    def number(self, name: str, default: float, *, at_least: float, at_most: float) -> float:
        """A number between the two limits, both allowed."""
        return self._number(float, name, default, at_least, at_most)

    def _number(
        self, kind: Callable[[str], Number], name: str, default: Number, at_least: Number, at_most: Number
    ) -> Number:
        text = self.text(name)
        if not text:
            return default
        advice = f"use a {'whole ' if kind is int else ''}number from {at_least} to {at_most}."
        try:
            number = kind(text)
        except ValueError:
            self.fault(f"{name} is {text!r}; {advice}")
            return default
        if not at_least <= number <= at_most:
            self.fault(f"{name} is {number}; {advice}")
            return default
        return number

    def secret(self, name: str) -> str:
        """The secret in NAME, or in the file that NAME_FILE names. Empty when neither is set."""
        path = self.text(f"{name}_FILE")
        value = self.text(name)
        if path and value:
            self.fault(f"{name} and {name}_FILE are both set; keep one of them.")
            return ""
        if not path:
            return value
        try:
            content = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self.fault(f"{name}_FILE is {path!r} and cannot be read ({error}).")
            return ""
        if not content:
            self.fault(f"{name}_FILE is {path!r} and the file is empty.")
        return content


def kept_secret(path: Path) -> str:
    """The secret in `path`, made on first use and readable by its owner only.

    For development: sessions survive a restart and nobody has to invent a key. Several processes may start
    at once, so the file is linked into place whole and the first one wins.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(50))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="utf-8").strip()
