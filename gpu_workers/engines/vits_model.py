"""A loaded VITS network: text to tokens, tokens to samples, the same for the same seed in every thread."""

from __future__ import annotations

import copy
import logging
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from gpu_workers.contract.messages import ModelSpec
from gpu_workers.engines import vits_phonemes
from gpu_workers.engines.base import EngineError
from gpu_workers.engines.sentences import Span
from gpu_workers.engines.vits_files import read_config, read_weights

# isort: split
from TTS.tts.models.vits import Vits

NAMES_SHOWN = 12
# Below that the package tells of its own defaults, and of each text with a character that a model does not know.
logging.getLogger("TTS").setLevel(logging.ERROR)


class Token(NamedTuple):
    """A character or phoneme that the model knows (no char: a mark of the model's own), and the span it comes from."""

    id: int
    char: str
    span: int


class Spoken(NamedTuple):
    """Samples between -1 and 1, and how many of them each token takes."""

    samples: NDArray[np.float32]
    token_samples: NDArray[np.int64]


class Speaker(NamedTuple):
    """What tells the model who speaks: an id of its own, or a voice vector."""

    id: int | None = None
    vector: tuple[float, ...] | None = None


@dataclass(slots=True)
class VitsModel:
    """The network with what the engine needs to know of it."""

    name: str
    network: Any
    device: str
    rate: int
    speakers: Mapping[str, Speaker]
    languages: tuple[str, ...]
    characters: frozenset[str]

    @classmethod
    def load(cls, spec: ModelSpec, folder: Path, device: str) -> VitsModel:
        """Read config and weights from `folder`. Raises EngineError `bad_model` or `unsafe_model`."""
        config = read_config(spec, folder)
        declared = _declared_languages(config)
        network = _network(spec, config)
        try:
            network.load_state_dict(read_weights(spec, folder))
        except RuntimeError as error:
            first = str(error).splitlines()[1:2]
            raise EngineError(
                "bad_model",
                f"Model {spec.id}: the checkpoint does not fit its config.json ({' '.join(first).strip()}).",
            ) from error
        network.eval()
        network.posterior_encoder = None  # serves training only
        _bake_weight_norm(network)
        network.to(device)
        multilingual = bool(network.args.use_language_embedding)
        return cls(
            name=spec.id,
            network=network,
            device=device,
            rate=int(config.audio.sample_rate),
            speakers=_speakers(network),
            languages=tuple(network.language_manager.name_to_id) if multilingual else declared,
            characters=frozenset(network.tokenizer.characters.vocab),
        )

    def unload(self) -> None:
        """Give the weights back."""
        self.network = None
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def speaker(self, name: str | None) -> Speaker:
        """The speaker of that name; without a name the first. Raises EngineError `unknown_voice`."""
        if name is None:
            return next(iter(self.speakers.values()), Speaker())
        if name in self.speakers:
            return self.speakers[name]
        known = (
            f"it has {_some(name, self.speakers)}" if self.speakers else "it has one voice, without a name"
        )
        raise EngineError("unknown_voice", f"Model {self.name} has no voice {name!r}; {known}.")

    def language(self, name: str | None) -> str | None:
        """The model's own name for a language (`en-us` for `en`). Raises EngineError `unknown_language`."""
        if not self.languages:
            return None
        if name is None:
            return self.languages[0]
        wanted = name.strip().lower().replace("_", "-")
        by_code = {language.lower(): language for language in reversed(self.languages)}
        by_stem = {code.partition("-")[0]: language for code, language in by_code.items()}
        found = by_code.get(wanted) or by_stem.get(wanted.partition("-")[0])
        if found is None:
            raise EngineError(
                "unknown_language",
                f"Model {self.name} does not speak {name!r}; it speaks {_some(name, self.languages)}.",
            )
        return found

    def tokens(self, spans: Sequence[Span], language: str | None) -> list[Token]:
        """What the model reads for the spans. Raises EngineError `unspeakable_text` when it knows no letter of them."""
        tokens: list[Token] = []
        characters = self.network.tokenizer.characters
        for index, span in enumerate(spans):
            said = self._said(span.text, language)
            if index and span.text[:1].isspace() and not said[:1].isspace():
                said = f" {said}"
            tokens += [
                Token(characters.char_to_id(char), char, index) for char in said if char in self.characters
            ]
        if not any(unicodedata.category(token.char)[0] in "LNM" for token in tokens):
            text = "".join(span.text for span in spans).strip()
            raise EngineError(
                "unspeakable_text",
                f"Model {self.name} knows none of the letters in {text[:60]!r}; choose a voice model "
                "for that language.",
            )
        return self._marked(tokens)

    def speak(
        self,
        tokens: Sequence[Token],
        *,
        stretch: Sequence[float],
        speaker: Speaker,
        language: str | None,
        seed: int,
    ) -> Spoken:
        """Run the network; `stretch[i]` lengthens the tokens of span i."""
        # A view that shares the weights: the length is an attribute of the network, and other threads have their own.
        network = copy.copy(self.network)
        scale = torch.tensor([stretch[token.span] for token in tokens], device=self.device)
        network.length_scale = self.network.length_scale * scale[None, None]
        ids = torch.tensor([[token.id for token in tokens]], device=self.device)
        with _SeededNoise(seed):
            outputs = network.inference(ids, self._conditions(speaker, language))
        samples = np.asarray(outputs["model_outputs"][0, 0].float().cpu().numpy(), np.float32)
        frames = outputs["durations"][0, 0].long().cpu().numpy()
        return Spoken(samples, frames * (len(samples) // max(int(frames.sum()), 1)))

    def _said(self, text: str, language: str | None) -> str:
        """The text as the model's cleaner and phonemizer write it."""
        tokenizer = self.network.tokenizer
        if tokenizer.text_cleaner is not None:
            text = tokenizer.text_cleaner(text, lang=language.partition("-")[0] if language else None)
        if tokenizer.phonemizer is not None:
            text = tokenizer.phonemizer.phonemize(text, separator="", language=language)
        return str(text)

    def _marked(self, tokens: list[Token]) -> list[Token]:
        """With the blanks between tokens and the marks around them that the model was trained with."""
        tokenizer = self.network.tokenizer
        last = tokens[-1].span
        if tokenizer.add_blank:
            blanks = [Token(tokenizer.characters.blank_id, "", token.span) for token in tokens]
            tokens = [each for pair in zip(blanks, tokens, strict=True) for each in pair]
            tokens.append(Token(tokenizer.characters.blank_id, "", last))
        if tokenizer.use_eos_bos:
            begin, end = tokenizer.characters.bos_id, tokenizer.characters.eos_id
            tokens = [Token(begin, "", 0), *tokens, Token(end, "", last)]
        return tokens

    def _conditions(self, speaker: Speaker, language: str | None) -> dict[str, torch.Tensor | None]:
        def ids(value: int | None) -> torch.Tensor | None:
            return None if value is None else torch.tensor([value], device=self.device)

        languages = (
            self.network.language_manager.name_to_id if self.network.args.use_language_embedding else {}
        )
        return {
            "x_lengths": None,
            "durations": None,
            "speaker_ids": ids(speaker.id),
            "language_ids": ids(languages.get(language)),
            "d_vectors": None
            if speaker.vector is None
            else torch.tensor([speaker.vector], device=self.device),
        }


class _SeededNoise(TorchFunctionMode):  # type: ignore[misc]  # torch's types are skipped
    """Draws the network's noise from a generator of its own, on the CPU: the same noise on every device.

    A mode is of one thread, so no lock is needed, and no other engine's use of torch's global generator changes
    the speech.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._generator = torch.Generator().manual_seed(seed)

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if func is torch.randn:
            device = named.pop("device", None)
            return func(*args, **named, generator=self._generator).to(device)
        if func is torch.randn_like:
            like = args[0]
            return torch.randn(like.shape, dtype=like.dtype, generator=self._generator).to(like.device)
        return func(*args, **named)


def _network(spec: ModelSpec, config: Any) -> Any:
    if config.use_phonemes:
        vits_phonemes.register()
        if config.phonemizer == "espeak" and config.phoneme_language:
            vits_phonemes.check_language(spec.id, config.phoneme_language)
    try:
        return Vits(config)
    except (
        ImportError,
        ValueError,
        KeyError,
        AssertionError,
        AttributeError,
        RuntimeError,
        TypeError,
    ) as error:
        raise EngineError(
            "bad_model", f"Model {spec.id}: the TTS package cannot build it from its config.json: {error}"
        ) from error


def _bake_weight_norm(network: torch.nn.Module) -> None:
    """Compute normalised weights once, not at each call. (The decoder's own method for it fails for VITS.)"""
    for module in network.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")


def _declared_languages(config: Any) -> tuple[str, ...]:
    """What the config says of its languages; read before the package fills in English for what it does not say."""
    datasets = [dataset.get("language") for dataset in config.datasets or ()]
    found = [*(config.languages or ()), *datasets, config.phoneme_language if config.use_phonemes else None]
    return tuple(dict.fromkeys(language for language in found if language))


def _speakers(network: Any) -> dict[str, Speaker]:
    manager = network.speaker_manager
    if manager is None:
        return {}
    if network.args.use_d_vector_file:
        return {
            name: Speaker(vector=tuple(float(value) for value in manager.get_mean_embedding(name)))
            for name in sorted(manager.get_embeddings_by_names())
        }
    return {name: Speaker(id=id_) for name, id_ in manager.name_to_id.items()}


def _some(wanted: str, names: Mapping[str, object] | Sequence[str]) -> str:
    """All names, or of many the nearest and how many there are."""
    if len(names) <= NAMES_SHOWN:
        return ", ".join(names)
    near = get_close_matches(wanted, names, NAMES_SHOWN, 0.0)
    return f"{len(names)}, among them {', '.join(near)}"
