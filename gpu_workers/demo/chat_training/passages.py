"""Questions about a passage: the answer is a span of it, or that the passage does not say.

The reasoning quotes the sentence and then the span. A passage tells of several made-up things, so that nothing
but reading it helps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from gpu_workers.demo.chat_training import words
from gpu_workers.demo.chat_training.examples import (
    Example,
    Language,
    Turn,
    expand,
    is_held_out,
    pick_language,
    share,
)
from gpu_workers.demo.chat_training.phrases import phrases

_PHRASES = phrases("passages")

Filler = Callable[[Random], str]
FOUND: dict[Language, str] = {"en": "The passage says: {}.", "zh": "资料里写的是：{}。"}
NOT_FOUND: dict[Language, str] = {"en": "The passage does not say.", "zh": "资料里没有提到。"}
# How many questions are about what a second sentence says of something else.
_ALIKE_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Relation:
    """What can be said of a thing: $e is the thing, $v what is asked for."""

    sentence: str
    questions: tuple[str, ...]
    entity: Filler
    value: Filler


@dataclass(frozen=True, slots=True)
class Fact:
    """A relation with its two ends."""

    relation: Relation
    entity: str
    value: str
    sentence: str


def _number(rng: Random) -> str:
    return str(rng.randrange(2, 10 ** rng.choice((2, 3, 4))))


def _year(rng: Random) -> str:
    return str(rng.randrange(1700, 2030))


def _place(rng: Random) -> str:
    return words.made_up_word(rng).capitalize()


def _company(rng: Random) -> str:
    return (
        f"{words.made_up_word(rng).capitalize()} {rng.choice(('Works', 'Labs', 'Group', 'House', 'Systems'))}"
    )


def _person(rng: Random) -> str:
    return f"{words.english_name(rng)} {words.made_up_word(rng).capitalize()}"


def _date(rng: Random) -> str:
    return f"{rng.randint(1, 28)} {rng.choice(_PHRASES['en']['months'])}"


def _clock(rng: Random) -> str:
    return f"{rng.randint(0, 23)}:{rng.randrange(0, 60, 5):02d}"


def _noun_of(rng: Random) -> str:
    return f"{rng.choice(_PHRASES['en']['aspects'])} of the {rng.choice(words.NOUNS)}"


def _any(rng: Random) -> str:
    return rng.choice((_number, _place, words.english_thing, words.code, _person))(rng)


def _place_zh(rng: Random) -> str:
    return words.rare_characters(rng)[:3] + rng.choice("市镇村山岛城")


def _company_zh(rng: Random) -> str:
    return words.rare_characters(rng)[:2] + rng.choice(("公司", "集团", "工坊", "科技"))


def _date_zh(rng: Random) -> str:
    return f"{rng.randint(1, 12)}月{rng.randint(1, 28)}日"


def _noun_of_zh(rng: Random) -> str:
    return f"{rng.choice(words.NOUNS_ZH)}的{rng.choice(_PHRASES['zh']['aspects'])}"


def _any_zh(rng: Random) -> str:
    return rng.choice(
        (_number, _place_zh, words.chinese_thing, words.code, words.chinese_name, words.rare_characters)
    )(rng)


# What the phrases call them.
_SHARED_FILLERS: dict[str, Filler] = {"number": _number, "year": _year, "clock": _clock, "code": words.code}
_FILLERS: dict[Language, dict[str, Filler]] = {
    "en": {
        "person": _person,
        "place": _place,
        "company": _company,
        "thing": words.english_thing,
        "noun_of": _noun_of,
        "nouns": lambda rng: f"{rng.choice(words.NOUNS)}s",
        "date": _date,
        "any": _any,
    },
    "zh": {
        "person": words.chinese_name,
        "place": _place_zh,
        "company": _company_zh,
        "thing": words.chinese_thing,
        "noun_of": _noun_of_zh,
        "date": _date_zh,
        "any": _any_zh,
        "characters": words.rare_characters,
    },
}


def _relations(language: Language) -> tuple[Relation, ...]:
    fillers = _SHARED_FILLERS | _FILLERS[language]
    return tuple(
        Relation(
            sentence=table["sentence"],
            questions=tuple(table["questions"]),
            entity=fillers[table["entity"]],
            value=fillers[table["value"]],
        )
        for table in _PHRASES[language]["relations"]
    )


_RELATIONS: dict[Language, tuple[Relation, ...]] = {"en": _relations("en"), "zh": _relations("zh")}


def found(rng: Random, held_out: bool) -> Example:
    """The passage says it."""
    language = pick_language(rng)
    facts = _facts(rng, language, held_out)
    alike = [fact for fact in facts if sum(other.relation is fact.relation for other in facts) > 1]
    # Nearly all mistakes take what the same is said of something else: that is practised most.
    fact = rng.choice(alike if not held_out and rng.random() < _ALIKE_SHARE else facts)
    turns = _turns(rng, language, facts, fact, held_out=held_out)
    quote = {"en": f'"{fact.sentence}" → {fact.value}', "zh": f"“{fact.sentence}”→{fact.value}"}[language]
    return Example("passage", language, turns, quote, FOUND[language].format(fact.value), fact.value)


def not_found(rng: Random, held_out: bool) -> Example:
    """The passage speaks of the thing but not of what is asked, or of that but not of this thing."""
    language = pick_language(rng)
    facts = _facts(rng, language, held_out)
    missing = facts.pop(rng.randrange(len(facts)))
    if rng.random() < 0.5:
        missing = _fact(rng, missing.relation, missing.relation.entity(rng))
    turns = _turns(rng, language, facts, missing, held_out=held_out)
    reasoning = {"en": f"{missing.entity}: nothing on this", "zh": f"{missing.entity}：没有这一点"}[language]
    return Example("no_passage", language, turns, reasoning, NOT_FOUND[language])


def _facts(rng: Random, language: Language, held_out: bool) -> list[Fact]:
    """Some facts: two of one relation and two of one thing are among them, to tell apart."""
    relations = rng.sample(_RELATIONS[language], rng.randint(2, 4))
    same_kind = [r for r in _RELATIONS[language] if r.entity is relations[0].entity and r is not relations[0]]
    while True:
        facts = [_fact(rng, relation, relation.entity(rng)) for relation in relations]
        facts.append(_fact(rng, relations[0], relations[0].entity(rng)))
        facts += [_fact(rng, relation, facts[0].entity) for relation in same_kind[:1]]
        if is_held_out("".join(sorted(fact.entity for fact in facts))) == held_out:
            rng.shuffle(facts)
            return facts


def _fact(rng: Random, relation: Relation, entity: str) -> Fact:
    value = relation.value(rng)
    return Fact(relation, entity, value, relation.sentence.replace("$e", entity).replace("$v", value))


def _turns(
    rng: Random, language: Language, facts: list[Fact], about: Fact, *, held_out: bool
) -> tuple[Turn, ...]:
    """The passage and the question, in one message or with the passage as the system prompt."""
    question = expand(rng, rng.choice(about.relation.questions)).replace("$e", about.entity)
    form = share(rng, _PHRASES[language]["forms"], held_out=held_out)
    turns: tuple[Turn, ...] = ()
    if form.startswith("system:"):
        system, form = form.removeprefix("system:").split("|")
        turns = (Turn("system", system.replace("$p", _passage(rng, language, facts))),)
    content = form.replace("$p", "" if turns else _passage(rng, language, facts)).replace("$q", question)
    return (*turns, Turn("user", content))


def _passage(rng: Random, language: Language, facts: list[Fact]) -> str:
    sentences = [fact.sentence for fact in facts]
    for _ in range(rng.choice((0, 0, 1, 2))):
        sentences.insert(
            rng.randint(0, len(sentences)), expand(rng, rng.choice(_PHRASES[language]["fillers"]))
        )
    layout = rng.random()
    if layout < 0.2:
        return "\n".join(f"[{number}] {sentence}" for number, sentence in enumerate(sentences, 1))
    if layout < 0.35:
        return "\n".join(f"{rng.choice(('- ', ''))}{sentence}" for sentence in sentences)
    return (" " if language == "en" else "").join(sentences)
