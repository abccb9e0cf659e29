"""Words to fill the grammars with: made-up names, everyday words, rare characters."""

from __future__ import annotations

from random import Random

from gpu_workers.demo.chat_training.phrases import phrases

_PHRASES = phrases("words")
_ONSETS: list[str] = _PHRASES["en"]["onsets"].split()
_VOWELS: list[str] = _PHRASES["en"]["vowels"].split()
_CODAS = ["", "", "", "l", "n", "r", "s", "t", "m", "nd", "rk", "x", "ck"]
NOUNS: list[str] = _PHRASES["en"]["nouns"].split()
ADJECTIVES: list[str] = _PHRASES["en"]["adjectives"].split()
NOUNS_ZH: list[str] = _PHRASES["zh"]["nouns"].split()
ADJECTIVES_ZH: list[str] = _PHRASES["zh"]["adjectives"].split()
_GIVEN: list[str] = _PHRASES["en"]["given_names"].split()
_SURNAMES_ZH: str = _PHRASES["zh"]["surnames"]
_GIVEN_ZH: str = _PHRASES["zh"]["given_name_characters"]
# The characters that Chinese is mostly written with: the first level of GB 2312.
CHARACTERS = "".join(
    bytes((high, low)).decode("gb2312")
    for high in range(0xB0, 0xD8)
    for low in range(0xA1, 0xFF)
    if (high, low) < (0xD7, 0xFA)
)


def made_up_word(rng: Random) -> str:
    """Two or three syllables that mean nothing."""
    syllables = rng.choice((1, 2, 2, 3))
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(syllables))


def english_name(rng: Random) -> str:
    """A given name, often a made-up one."""
    return rng.choice(_GIVEN) if rng.random() < 0.4 else made_up_word(rng).capitalize()


def chinese_name(rng: Random) -> str:
    """A surname and one or two characters."""
    return rng.choice(_SURNAMES_ZH) + "".join(rng.choice(_GIVEN_ZH) for _ in range(rng.choice((1, 2, 2))))


def rare_characters(rng: Random) -> str:
    """A few characters, any of 3,755."""
    return "".join(rng.choice(CHARACTERS) for _ in range(rng.choice((2, 2, 3, 4))))


def number(rng: Random) -> str:
    """One to four digits, at least 2."""
    return str(rng.randrange(2, 10000))


def english_thing(rng: Random) -> str:
    """An adjective and a noun."""
    return f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}"


def chinese_thing(rng: Random) -> str:
    """The same in Chinese."""
    return rng.choice(ADJECTIVES_ZH) + rng.choice(NOUNS_ZH)


def chinese_village(rng: Random) -> str:
    """A made-up name of a town or village."""
    return rare_characters(rng)[:2] + rng.choice("市镇村")


def code(rng: Random) -> str:
    """Something like a part number, a version or a variable."""
    letters = "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(rng.choice((1, 2, 3))))
    number = rng.randrange(10 ** rng.choice((2, 3, 4)))
    return rng.choice(
        (
            f"{letters}-{number}",
            f"{letters}{number}",
            f"v{number % 10}.{number // 10 % 10}",
            f"{letters}_{made_up_word(rng).upper()}",
        )
    )
