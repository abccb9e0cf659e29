"""Many chats at once: transformers' continuous batching for one model.

It knows tokens only: no text, no templates. What the library's manager lacks is here: greedy and sampling
chats side by side with honest probabilities, delivery to the right thread, a fresh loop after a dead one.
"""

from __future__ import annotations

import itertools
import logging
import math
import queue
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, PreTrainedModel
from transformers.generation import ContinuousBatchingConfig
from transformers.generation.continuous_batching import ContinuousBatchingManager
from transformers.generation.continuous_batching.cb_logits_processors import (
    ContinuousBatchingLogitsProcessor,
    ContinuousBatchingLogitsProcessorList,
)
from transformers.generation.continuous_batching.continuous_api import OutputRouter
from transformers.generation.continuous_batching.requests import FutureRequestState, GenerationOutput

from gpu_workers.engines.base import EngineError
from gpu_workers.engines.chat_sampling import GeneratedToken, Sampling, choose

log = logging.getLogger(__name__)

# The library writes to the terminal by a handler of its own; its records belong with the worker's.
_library_log = logging.getLogger("ContinuousBatchingLogger")
_library_log.handlers.clear()
_library_log.propagate = True

# How often a waiting reader looks whether its job was stopped or the loop has died.
LOOK_UP_S = 0.25
STOP_TIMEOUT_S = 30.0
# What the library raises for a model that it cannot batch or has no memory for; there is no class of its own.
REFUSALS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """The sizes of the loop. None leaves them to the library, which measures the free memory of a GPU.

    `cache_tokens` is what all running chats may hold together, `step_tokens` how many one forward pass takes
    (longer prompts come in several).
    """

    cache_tokens: int | None = None
    page_tokens: int | None = None
    step_tokens: int | None = None
    chats: int | None = None


class BatchLoop:
    """The running loop of one model. All methods may be called from any thread.

    `tokens_generated` counts what the model has made; it grows only while someone wants tokens.
    """

    def __init__(self, model: PreTrainedModel, limits: BatchLimits, eos_tokens: Sequence[int]) -> None:
        self._model, self._limits, self._eos_tokens = model, limits, list(eos_tokens)
        self._lock = threading.Lock()
        self._names = itertools.count()
        self._manager: ContinuousBatchingManager | None = None
        self._router: _Router | None = None
        self._tokens_before = 0
        self._closed = False

    @property
    def tokens_generated(self) -> int:
        """Tokens made by this loop and its dead predecessors."""
        router = self._router
        return self._tokens_before + (router.tokens if router else 0)

    def longest_chat_tokens(self) -> int:
        """The most tokens that one chat, prompt and answer, can have in this loop."""
        cache = self._live()[0].batch_processor.cache
        return int((cache.num_blocks - 1) * self._page_tokens())

    def cache_bytes(self) -> int:
        """The memory of the key and value cache."""
        manager = self._manager
        processor = manager.batch_processor if manager else None
        return int(processor.cache.cache_tensor.nbytes) if processor else 0

    def tokens(
        self, prompt: Sequence[int], max_new_tokens: int, sampling: Sampling, stopped: Callable[[], bool]
    ) -> Iterator[list[GeneratedToken]]:
        """Yield the answer's tokens as they are made, several when the reader was slow; EOS is one of them.

        Ends early, without another token, once `stopped()`. Raises EngineError when the loop breaks.
        """
        chat = _Chat(stopped)
        manager, router, name = self._submit(chat, prompt, max_new_tokens, sampling)
        finished = False
        try:
            while not (finished or stopped()):
                tokens, finished = chat.wait(manager)
                if tokens and not stopped():
                    yield tokens
        finally:
            router.forget(name)
            if not finished:
                manager.cancel_request(name)

    def close(self) -> None:
        """End the loop and give back its cache; chats that still run fail."""
        with self._lock:
            self._closed = True
            self._discard()

    def _submit(
        self, chat: _Chat, prompt: Sequence[int], max_new_tokens: int, sampling: Sampling
    ) -> tuple[ContinuousBatchingManager, _Router, str]:
        name = f"chat-{next(self._names)}"
        for _ in range(2):  # a loop that dies just now is replaced once
            manager, router = self._live()
            router.expect(name, chat, manager)
            accepted = manager.add_request(
                list(prompt),
                request_id=name,
                max_new_tokens=max_new_tokens,
                streaming=True,
                eos_token_id=self._eos_tokens,
                temperature=float(sampling.temperature) or 1.0,
                top_k=sampling.kept_tokens(self._vocabulary()),
                top_p=float(sampling.top_p),
            )
            if accepted is not None:
                return manager, router, name
            router.forget(name)
        raise _loop_died("it takes no new chats")

    def _live(self) -> tuple[ContinuousBatchingManager, _Router]:
        with self._lock:
            if self._closed:
                raise EngineError("model_unloaded", "The model was just unloaded; try again.", retryable=True)
            if self._manager is None or self._router is None or not _is_alive(self._manager):
                self._discard()
                try:
                    self._manager, self._router = self._start()
                except REFUSALS as error:
                    raise _loop_died(f"{type(error).__name__}: {error}") from error
            return self._manager, self._router

    def _start(self) -> tuple[ContinuousBatchingManager, _Router]:
        on_gpu = self._model.device.type == "cuda"
        config = ContinuousBatchingConfig(
            per_request_processors=True,
            return_logprobs=True,
            num_blocks=self._limits.cache_tokens
            and math.ceil(self._limits.cache_tokens / self._page_tokens()),
            page_size=self._page_tokens(),
            max_batch_tokens=self._limits.step_tokens,
            max_requests_per_batch=self._limits.chats,
            use_cuda_graph=None if on_gpu else False,
        )
        manager = self._model.init_continuous_batching(
            # Not sampling: our last processor has already chosen, see `choose`.
            generation_config=GenerationConfig(
                do_sample=False, eos_token_id=self._eos_tokens, max_new_tokens=1
            ),
            continuous_batching_config=config,
        )
        graphs = any(manager.continuous_batching_config.cuda_graph_booleans)
        manager.logit_processor = _processors(self._vocabulary(), self._model.device, fixed_shapes=graphs)
        router = _Router()
        manager.output_router = router
        manager.warmup()
        # The loop's thread inherits `daemon` from the thread that starts it: a worker that dies without
        # closing its models must not hang on this one.
        starter = threading.Thread(target=manager.start, name="chat-batch-start", daemon=True)
        starter.start()
        starter.join()
        return manager, router

    def _discard(self) -> None:
        manager, router, self._manager, self._router = self._manager, self._router, None, None
        if router is not None:
            self._tokens_before += router.tokens
        if manager is not None:
            manager.stop(block=True, timeout=STOP_TIMEOUT_S, hard_stop=True)

    def _page_tokens(self) -> int:
        return self._limits.page_tokens or ContinuousBatchingConfig.page_size

    def _vocabulary(self) -> int:
        return int(self._model.get_output_embeddings().weight.shape[0])


class _Chat:
    """The mailbox between the loop's thread and the thread that reads one chat."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self.stopped = stopped
        self._outputs: queue.SimpleQueue[tuple[list[GeneratedToken], bool, str | None]] = queue.SimpleQueue()
        self._seen = 0

    def take(self, output: GenerationOutput) -> None:
        """In the loop's thread: keep what is new. The library sends everything so far each time."""
        tokens = [
            GeneratedToken(token, math.exp(logprob))
            for token, logprob in zip(
                output.generated_tokens[self._seen :], output.logprobs[self._seen :], strict=True
            )
        ]
        self._seen += len(tokens)
        self._outputs.put((tokens, output.is_finished(), output.error))

    def wait(self, manager: ContinuousBatchingManager) -> tuple[list[GeneratedToken], bool]:
        """In the reader's thread: what has come, and whether it was the end. May come back empty-handed.

        Raises EngineError.
        """
        tokens: list[GeneratedToken] = []
        ended = False
        try:
            fresh, ended, error = self._outputs.get(timeout=LOOK_UP_S)
            while True:
                if error is not None:
                    raise _broken(manager, error)
                tokens += fresh
                if ended:
                    break
                fresh, ended, error = self._outputs.get_nowait()
        except queue.Empty:
            if not tokens and not _is_alive(manager):
                raise _loop_died("its thread has ended") from None
        return tokens, ended


class _Router(OutputRouter):  # type: ignore[misc]  # transformers is not typed
    """Delivers outputs straight to the mailboxes: the library's own way needs an asyncio loop in between."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = 0
        self._chats: dict[str, tuple[_Chat, ContinuousBatchingManager]] = {}

    def expect(self, name: str, chat: _Chat, manager: ContinuousBatchingManager) -> None:
        """Outputs of request `name` go to `chat` from now on."""
        self._chats[name] = (chat, manager)

    def forget(self, name: str) -> None:
        """Nobody reads `name` any more."""
        self._chats.pop(name, None)

    def deliver(self, output: GenerationOutput) -> None:
        """One output, from the loop's thread."""
        entry = self._chats.get(output.request_id)
        if entry is None:
            return
        chat, manager = entry
        chat.take(output)
        # Asked here and not by the reader, so that a stopped chat is gone before the next forward pass.
        if chat.stopped():
            manager.cancel_request(output.request_id)

    def deliver_batch(self, outputs: list[GenerationOutput]) -> None:
        """One step's outputs: one new token each."""
        self.tokens += len(outputs)
        for output in outputs:
            self.deliver(output)


class _Argument(ContinuousBatchingLogitsProcessor):  # type: ignore[misc]  # transformers is not typed
    """Carries one number per request to the device, where `_Chooser` picks it up; changes no scores."""

    ignored_kwargs: tuple[str, ...] = ()

    def __init__(self, name: str, dtype: torch.dtype, default: float) -> None:
        self._name, self._dtype, self._default = name, dtype, default
        self.supported_kwargs = {name: int if dtype == torch.int32 else float}
        self.values: list[float] = []
        self.rows = torch.empty(0)

    def fill_defaults(self, int32_tensor: torch.Tensor) -> None:
        """What padding rows get."""
        int32_tensor.copy_(torch.full_like(int32_tensor, self._default, dtype=self._dtype).view(torch.int32))

    def prepare_tensor_args(self, requests_with_new_token: list[FutureRequestState]) -> torch.Tensor:
        """The numbers of a batch as int32, whatever they are: [requests]."""
        self.values = [r.state.logit_processor_kwargs[self._name] for r in requests_with_new_token]
        return torch.tensor(self.values, dtype=self._dtype).view(torch.int32)

    def __call__(self, scores: torch.Tensor, tensor_arg: torch.Tensor) -> torch.Tensor:
        """Keep the rows of this step."""
        self.rows = tensor_arg[: scores.shape[0]].view(self._dtype)
        return scores


class _Chooser(LogitsProcessor):  # type: ignore[misc]  # transformers is not typed
    """Applies `choose` to a batch, each row with its own numbers."""

    supports_continuous_batching = True

    def __init__(
        self, arguments: dict[str, _Argument], vocabulary: int, device: torch.device, *, fixed_shapes: bool
    ) -> None:
        self._arguments, self._vocabulary, self._fixed_shapes = arguments, vocabulary, fixed_shapes
        # A captured graph can only replay the device's own generator. Elsewhere one of our own keeps us from
        # disturbing engines that seed the global one.
        self._generator = None if fixed_shapes else torch.Generator(device).manual_seed(secrets.randbits(63))

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores that say which token was chosen, [rows, vocabulary].

        While only long prompts are being read there is a row that nobody looks at, and no values.
        """
        wanted = max(self._arguments["top_k"].values, default=1)
        largest = self._vocabulary if self._fixed_shapes else int(wanted)
        return choose(
            scores,
            **{name: argument.rows for name, argument in self._arguments.items()},
            width=min(largest, self._vocabulary),
            generator=self._generator,
        )


def _processors(
    vocabulary: int, device: torch.device, *, fixed_shapes: bool
) -> ContinuousBatchingLogitsProcessorList:
    arguments = {
        "temperature": _Argument("temperature", torch.float32, 1.0),
        "top_k": _Argument("top_k", torch.int32, 1),
        "top_p": _Argument("top_p", torch.float32, 1.0),
    }
    chooser = _Chooser(arguments, vocabulary, device, fixed_shapes=fixed_shapes)
    processors = ContinuousBatchingLogitsProcessorList(
        LogitsProcessorList([*arguments.values(), chooser]), drop_unsupported_processors=False
    )
    # The library counts only the processors that it converted itself.
    processors.tensors_required = len(arguments)
    return processors


def _is_alive(manager: ContinuousBatchingManager) -> bool:
    status: Any = manager.background_thread_status
    return bool(manager.is_running() and status.can_accept_new_requests() is None)


def _broken(manager: ContinuousBatchingManager, error: str) -> EngineError:
    """A failed request of a living loop is its own fault; a dead loop is not the request's."""
    if _is_alive(manager):
        return EngineError("generation_failed", f"The model could not run this chat: {error}")
    return _loop_died(error)


def _loop_died(reason: str) -> EngineError:
    return EngineError(
        "engine_failed",
        f"The model's generation loop broke off ({reason}); it starts afresh, try again.",
        retryable=True,
    )
