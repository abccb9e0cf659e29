"""Loading a chat model from its folder: checks, tokenizer, weights with progress, sizes of its batch loop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.generation.continuous_batching.utils import find_head_dim, find_num_key_value_heads
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.utils import logging as transformers_logging

from gpu_workers.contract.events import Progress
from gpu_workers.contract.messages import ModelSpec
from gpu_workers.engines.base import EngineError, ProgressCallback
from gpu_workers.engines.chat_batch import BatchLimits
from gpu_workers.engines.chat_weights import check_quantization, loading_options, shrink_on_cpu
from gpu_workers.engines.device import pick_device, pick_dtype
from gpu_workers.engines.source import resolve

MIB = 1024**2
# Where the library cannot measure what is free for the shared cache, its sizes are ours.
CACHE_MIB = 1024
PAGE_TOKENS = 32
STEP_TOKENS = 256
CHATS = 64
# More whole contexts than this at once are not worth the memory.
CONTEXTS = 16
# A window for models that do not say theirs.
UNKNOWN_CONTEXT_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class LoadedChat:
    """What a folder gave: weights on their device, the tokenizer with its template, the context window."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    context_tokens: int

    @property
    def has_shared_attention(self) -> bool:
        """Whether its attention serves the batch loop and plain runs alike, at the same time."""
        attention = self.model.config._attn_implementation  # noqa: SLF001  it has no public name
        return attention == "sdpa" or str(attention).startswith("flash")


def load_chat(spec: ModelSpec, progress: ProgressCallback) -> LoadedChat:
    """Find, check and load the model of `spec`.

    Raises EngineError: what `resolve` raises, `unsupported_architecture`, `no_safetensors`,
    `no_chat_template`, `model_broken`, `quantization_unavailable`, `device_unavailable` or `out_of_memory`.
    """
    device = pick_device()
    check_quantization(spec, device)
    folder = resolve(spec, progress)
    config = _config(spec, folder)
    if not any(folder.glob("*.safetensors")):
        raise EngineError(
            "no_safetensors",
            f"Model {spec.id} has no *.safetensors file in {folder}; other formats can run code and are not "
            "loaded. Convert it, or choose a revision that has them.",
        )
    tokenizer = _tokenizer(spec, folder)
    model = _model(spec, folder, device, progress)
    return LoadedChat(model, tokenizer, _context_tokens(spec, config))


def batch_limits(spec: ModelSpec, loaded: LoadedChat) -> BatchLimits:
    """The batch loop's sizes for this model. Raises ValueError for a model whose cache is of another kind."""
    mib = spec.options.get("kv_cache_mib")
    on_gpu = loaded.model.device.type == "cuda"
    if mib is None and on_gpu:
        return BatchLimits()
    config = loaded.model.config.get_text_config()
    values = 2 * config.num_hidden_layers * find_num_key_value_heads(config) * find_head_dim(config)
    fits = int(mib or CACHE_MIB) * MIB // (values * loaded.model.dtype.itemsize)
    if on_gpu:
        return BatchLimits(cache_tokens=fits)
    return BatchLimits(
        cache_tokens=max(STEP_TOKENS, min(fits, CONTEXTS * loaded.context_tokens)),
        page_tokens=PAGE_TOKENS,
        step_tokens=STEP_TOKENS,
        chats=CHATS,
    )


def _config(spec: ModelSpec, folder: Path) -> PreTrainedConfig:
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(
            "unsupported_architecture",
            f"Model {spec.id} in {folder} is no model that transformers knows: {error}",
        ) from error
    names = config.architectures or ["none"]
    if config.is_encoder_decoder or names[0] not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values():
        raise EngineError(
            "unsupported_architecture",
            f"Model {spec.id} has architecture {names[0]}; a chat model must be decoder-only, such as "
            "Qwen2ForCausalLM.",
        )
    return config


def _context_tokens(spec: ModelSpec, config: PreTrainedConfig) -> int:
    own = getattr(config.get_text_config(), "max_position_embeddings", None) or UNKNOWN_CONTEXT_TOKENS
    return min(int(own), int(spec.options.get("context_tokens") or own))


def _tokenizer(spec: ModelSpec, folder: Path) -> PreTrainedTokenizerBase:
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(
            "model_broken", f"The tokenizer of model {spec.id} does not load: {error}"
        ) from error
    if not tokenizer.chat_template:
        raise EngineError(
            "no_chat_template",
            f"Model {spec.id} has no chat template, so it is a base model and not made for chat; choose its "
            "chat or instruct version.",
        )
    return tokenizer


def _model(spec: ModelSpec, folder: Path, device: str, progress: ProgressCallback) -> PreTrainedModel:
    try:
        with _reported(progress):
            model = AutoModelForCausalLM.from_pretrained(
                folder,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=pick_dtype(spec, device),
                device_map={"": device},
                **loading_options(spec, device),
            )
        if device == "cpu":
            shrink_on_cpu(model, spec)
    except torch.OutOfMemoryError as error:
        raise EngineError(
            "out_of_memory",
            f"Model {spec.id} does not fit into the memory of {device}; unload another model, or choose "
            "int8, int4 or a smaller model.",
        ) from error
    except (OSError, SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise EngineError(
            "model_broken", f"The weights of model {spec.id} in {folder} do not load: {error}"
        ) from error
    return model.eval()


# --- progress

_loading = threading.local()


@contextmanager
def _reported(progress: ProgressCallback) -> Iterator[None]:
    """Turn the library's progress bars of this thread into progress; those of other threads stay theirs."""
    transformers_logging.set_tqdm_hook(_bar)
    _loading.progress = progress
    try:
        yield
    finally:
        del _loading.progress


def _bar(factory: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    progress: ProgressCallback | None = getattr(_loading, "progress", None)
    if progress is None or not args:
        return factory(*args, **options)
    return _ReportedSteps(list(args[0]), progress)


class _ReportedSteps:
    """The part of tqdm that the library's loader uses: going through parameters one by one."""

    def __init__(self, items: list[Any], progress: ProgressCallback) -> None:
        self._items, self._progress = items, progress

    def __iter__(self) -> Iterator[Any]:
        total = len(self._items)
        shown = -1
        for done, item in enumerate(self._items):
            if (percent := 100 * done // total) > shown:
                shown = percent
                self._progress(Progress(step=done, steps=total, stage="load"))
            yield item
        self._progress(Progress(step=total, steps=total, stage="load"))

    def update(self, _count: float = 1) -> None:
        """Counted by going through the items."""

    def set_postfix(self, *_args: Any, **_options: Any) -> None:
        """Nothing is painted."""

    set_description = set_postfix_str = set_postfix

    def close(self) -> None:
        """Nothing to end."""

    def __enter__(self) -> _ReportedSteps:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
