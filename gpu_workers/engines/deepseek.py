"""Chat with decoder-only language models through transformers: DeepSeek's, and all shaped like them.

Concurrent chats share the model through the library's continuous batching (`chat_batch`). A chat with a seed
or a repetition penalty, or a model that cannot be batched, takes plain `generate` (`chat_plain`). Options of
the model: `context_tokens` (a smaller window than the model's), `kv_cache_mib` (memory of the shared cache;
without it the library takes most of what is free on a GPU), `plain_side_by_side` (chats at once on the plain
road).
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Generator, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import fmean

import jinja2
import torch
from transformers import GenerationConfig, PreTrainedTokenizerBase

from gpu_workers.contract.messages import ChatParams, ModelSpec, Turn
from gpu_workers.engines.base import (
    Chunk,
    DoneChunk,
    EngineError,
    ProgressCallback,
    Request,
    Resume,
    TextChunk,
)
from gpu_workers.engines.chat_batch import REFUSALS, BatchLoop
from gpu_workers.engines.chat_load import LoadedChat, batch_limits, load_chat
from gpu_workers.engines.chat_plain import PlainGenerate
from gpu_workers.engines.chat_prompt import PromptWriter
from gpu_workers.engines.chat_sampling import GeneratedToken, Sampling
from gpu_workers.engines.chat_turns import longest_that_fits
from gpu_workers.engines.device import module_bytes
from gpu_workers.engines.text_stream import (
    THINK_CLOSE,
    THINK_OPEN,
    AlreadyRead,
    AnswerStream,
    Piece,
    TokenText,
)

log = logging.getLogger(__name__)

PLAIN_SIDE_BY_SIDE = 4
# Of the context window, what old turns may not take from the answer.
ANSWER_SHARE = 0.25
# What transformers' own `generate` takes when a model's generation config says nothing.
DEFAULT_TOP_K = 50
# Rows of scores computed at once when a resumed answer is checked: [rows, vocabulary] in float32.
CHECKED_ROWS = 256


def load(spec: ModelSpec, progress: ProgressCallback) -> DeepSeekEngine:
    """Load the model of `spec`; see `Loader` and, for the errors, `load_chat`."""
    return DeepSeekEngine(spec, load_chat(spec, progress))


class DeepSeekEngine:
    """One loaded model; see `Engine`. The loop brings chats together; each `generate` has one request."""

    max_batch = 1
    max_wait_s = 0.0

    def __init__(self, spec: ModelSpec, loaded: LoadedChat) -> None:
        self._spec = spec
        self._model, self._tokenizer, self._context = loaded.model, loaded.tokenizer, loaded.context_tokens
        self._defaults = self._model.generation_config
        self._eos = _eos_tokens(self._defaults, self._tokenizer)
        self._prompts = PromptWriter(self._tokenizer)
        # The defaults are ours to apply; left on the model they would creep back into `generate`.
        self._model.generation_config = GenerationConfig(eos_token_id=self._eos or None)
        self._plain = PlainGenerate(
            self._model, self._eos, int(spec.options.get("plain_side_by_side", PLAIN_SIDE_BY_SIDE))
        )
        self._loop = _started_loop(spec, loaded, self._eos)
        self._longest_batched = self._loop.longest_chat_tokens() if self._loop else 0

    @property
    def batches(self) -> bool:
        """Whether concurrent chats share the model."""
        return self._loop is not None

    @property
    def tokens_generated(self) -> int:
        """All tokens that the model has made, for anyone; grows only while somebody wants tokens."""
        return self._plain.tokens_generated + (self._loop.tokens_generated if self._loop else 0)

    def batch_key(self, request: Request) -> Hashable:
        """Each request is a batch of its own."""
        return request

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Chunk | EngineError]]:
        """Answer the requests one after the other; threads that call at once share the model."""
        for request in requests:
            try:
                for chunk in self._answer(request):
                    yield request, chunk
            except EngineError as error:
                yield request, error

    def memory_bytes(self) -> int:
        """Weights and the shared cache."""
        return module_bytes(self._model) + (self._loop.cache_bytes() if self._loop else 0)

    def close(self) -> None:
        """End both roads and give back the memory."""
        if self._loop is not None:
            self._loop.close()
        self._plain.close()
        del self._model, self._loop, self._plain
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    # --- one answer

    def _answer(self, request: Request) -> Iterator[Chunk]:
        plan = self._plan(request)
        if request.stopped():
            return
        for start in self._starts(plan, request):
            if (yield from self._run(plan, start, request)):
                return

    def _plan(self, request: Request) -> _Plan:
        params = request.params
        if not isinstance(params, ChatParams):
            raise EngineError(
                "bad_params", f"Model {self._spec.id} is a chat model and cannot run {params!r}."
            )
        if any(turn.images for turn in params.messages):
            raise EngineError("bad_params", f"Model {self._spec.id} reads no pictures; leave them out.")
        sampling = _sampling(params, self._defaults)
        seeded = params.seed is not None and not sampling.greedy
        penalty = params.repetition_penalty or self._defaults.repetition_penalty
        penalty = None if penalty == 1.0 else penalty
        turns = self._turns(params)
        text = self._prompt(turns)
        prompt = self._encode(text)
        max_tokens = min(params.max_tokens, self._room(prompt))
        return _Plan(
            params=params,
            dropped_turns=len(params.messages) - len(turns),
            prompt=prompt,
            opened=text.rstrip().endswith(THINK_OPEN),
            max_tokens=max_tokens,
            sampling=sampling,
            seed=params.seed if seeded else None,
            penalty=penalty,
            batches=not seeded and penalty is None and len(prompt) + max_tokens <= self._longest_batched,
        )

    def _turns(self, params: ChatParams) -> Sequence[Turn]:
        """What the model reads of the conversation."""
        if params.truncation == "disabled":
            return params.messages
        room = self._context - min(params.max_tokens, int(self._context * ANSWER_SHARE))
        return longest_that_fits(
            params.messages, lambda turns: len(self._encode(self._prompt(turns))) <= room
        )

    def _prompt(self, turns: Sequence[Turn]) -> str:
        try:
            return self._prompts.render(turns)
        except jinja2.TemplateError as error:
            raise EngineError(
                "bad_messages",
                f"The chat template of model {self._spec.id} does not take these messages: {error}",
            ) from error

    def _encode(self, text: str) -> list[int]:
        tokens = self._prompts.encode(text)
        known = self._model.get_input_embeddings().weight.shape[0]
        if unknown := [token for token in tokens if token >= known]:
            raise EngineError(
                "unknown_token",
                f"The messages hold {self._decode(unknown[:1])!r}, for which model {self._spec.id} has no "
                "weights; leave it out.",
            )
        return tokens

    def _room(self, prompt: Sequence[int]) -> int:
        room = self._context - len(prompt)
        if room < 1:
            raise EngineError(
                "context_too_long",
                f"The conversation has {len(prompt)} tokens, but model {self._spec.id} takes at most "
                f"{self._context}, its answer included. Shorten the messages or begin a new conversation.",
            )
        return room

    # --- going on after what was already read

    def _starts(self, plan: _Plan, request: Request) -> Iterator[_Start]:
        """Where the answer can start, best first; each is tried only if the one before led elsewhere.

        Where chance has no part, the answer is made again, which gives exactly what an undisturbed run gives,
        in spite of trimmed white space or words cut into tokens otherwise. The part that one forward pass
        confirms needs no making. Where that fails, the text that was read is taken as it stands.
        """
        resume = request.resume
        if not (resume.text or resume.reasoning):
            yield _Start(exact=False)
            return
        read = self._encode(self._raw_text(resume, opened=plan.opened))
        if plan.sampling.greedy and plan.penalty is None:
            prefix: list[GeneratedToken] = []
            # A long answer may not fit into one pass; then all of it is made again.
            with suppress(torch.OutOfMemoryError):
                prefix = self._confirmed(plan, read)
            yield _Start(exact=True, prefix=prefix)
        elif plan.sampling.greedy or plan.seed is not None:
            yield _Start(exact=True)
        yield _Start(exact=False, prefix=[GeneratedToken(token, None) for token in read[: plan.max_tokens]])

    def _raw_text(self, resume: Resume, *, opened: bool) -> str:
        """What the model must have written for the reader to see this; white space as DeepSeek has it."""
        reasoning, text = map(self._prompts.as_text, (resume.reasoning, resume.text))
        if not (reasoning or opened):
            return text
        head = "" if opened else f"{THINK_OPEN}\n"
        return head + reasoning + (f"{THINK_CLOSE}\n\n{text}" if text else "")

    @torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not typed for us
    def _confirmed(self, plan: _Plan, read: Sequence[int]) -> list[GeneratedToken]:
        """The longest beginning of `read` in which each token is the model's greedy choice."""
        wanted = torch.tensor(read[: plan.max_tokens], device=self._model.device)
        tokens = torch.tensor([*plan.prompt, *read[: plan.max_tokens]], device=self._model.device)
        hidden = self._model.base_model(input_ids=tokens[None, :-1], use_cache=False).last_hidden_state[0]
        confirmed: list[GeneratedToken] = []
        for rows, targets in zip(
            hidden[len(plan.prompt) - 1 :].split(CHECKED_ROWS), wanted.split(CHECKED_ROWS), strict=True
        ):
            scores = self._model.get_output_embeddings()(rows).float()
            agree = int((scores.argmax(-1) == targets).long().cumprod(0).sum())
            probabilities = torch.softmax(scores[:agree], -1).gather(1, targets[:agree, None])[:, 0]
            confirmed += map(GeneratedToken, targets[:agree].tolist(), probabilities.tolist())
            if agree < len(targets):
                break
        return confirmed

    # --- from tokens to chunks

    def _run(self, plan: _Plan, start: _Start, request: Request) -> Generator[Chunk, None, bool]:
        """Yield the answer's chunks; False, and no chunk, when an exact start led elsewhere."""
        answer = self._new_answer(plan, request.resume)
        steps = self._tokens(plan, start.prefix, request)
        try:
            for piece in answer.pieces(steps):
                if start.exact and answer.read.differs:
                    return False
                if piece:
                    yield TextChunk(piece.text, piece.reasoning)
        finally:
            steps.close()
        if request.stopped():
            return True
        if start.exact and answer.read.missing:
            return False
        usage = {
            "prompt_tokens": len(plan.prompt),
            "completion_tokens": answer.count,
            "total_tokens": len(plan.prompt) + answer.count,
        }
        if plan.dropped_turns:
            usage["dropped_turns"] = plan.dropped_turns
        yield DoneChunk(usage, answer.finish_reason, answer.confidence)
        return True

    def _tokens(
        self, plan: _Plan, prefix: list[GeneratedToken], request: Request
    ) -> Generator[list[GeneratedToken], None, None]:
        """The answer's tokens from its very first one, those of `prefix` without making them."""
        if prefix:
            yield prefix
        left = plan.max_tokens - len(prefix)
        if left < 1 or request.stopped():
            return
        prompt = [*plan.prompt, *(token.id for token in prefix)]
        if self._loop is not None and plan.batches:
            yield from self._loop.tokens(prompt, left, plan.sampling, request.stopped)
        else:
            yield from self._plain.tokens(
                prompt, left, plan.sampling, request.stopped, seed=plan.seed, repetition_penalty=plan.penalty
            )

    def _new_answer(self, plan: _Plan, resume: Resume) -> _Answer:
        return _Answer(
            words=TokenText(self._decode),
            parts=AnswerStream(opened=plan.opened, stop=plan.params.stop),
            read=AlreadyRead(resume.reasoning, resume.text),
            eos=self._eos,
            unseen=self._prompts.unseen,
            tags=self._prompts.tags,
        )

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(
            self._tokenizer.decode(
                list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a request asks for, in the engine's terms. `opened`: the prompt ends in `<think>`."""

    params: ChatParams
    dropped_turns: int
    prompt: list[int]
    opened: bool
    max_tokens: int
    sampling: Sampling
    seed: int | None
    penalty: float | None
    batches: bool


@dataclass(frozen=True, slots=True)
class _Start:
    """Tokens to take as given. An `exact` start that does not reproduce what was read is dropped."""

    exact: bool
    prefix: list[GeneratedToken] = field(default_factory=list)


@dataclass(slots=True)
class _Answer:
    """What one run has come to: tokens in, pieces for the reader out."""

    words: TokenText
    parts: AnswerStream
    read: AlreadyRead
    eos: Sequence[int]
    unseen: Set[int]
    tags: Mapping[int, str]
    count: int = 0
    finish_reason: str = "length"
    _probabilities: list[float] = field(default_factory=list)

    @property
    def confidence(self) -> float | None:
        """The mean probability of the tokens that this attempt made or checked."""
        return fmean(self._probabilities) if self._probabilities else None

    def pieces(self, steps: Iterable[Sequence[GeneratedToken]]) -> Iterator[Piece]:
        """What is new to the reader, a piece for each step, and the rest when the answer has ended."""
        for tokens in steps:
            yield self.read.pass_on(self._taken(tokens))
            if self.finish_reason == "stop":
                break
        rest = self.parts.feed(self.words.finish()) + self.parts.finish()
        yield self.read.pass_on(rest)

    def _taken(self, tokens: Sequence[GeneratedToken]) -> Piece:
        piece = Piece()
        for token in tokens:
            piece += self._one(token)
            if self.finish_reason == "stop":
                break
        return piece

    def _one(self, token: GeneratedToken) -> Piece:
        self.count += 1
        if token.probability is not None:
            self._probabilities.append(token.probability)
        if token.id in self.eos:
            self.finish_reason = "stop"
        if token.id in self.eos or token.id in self.unseen or self._is_stray(token.id):
            return Piece()
        piece = self.parts.feed(self.words.feed(token.id))
        if self.parts.stopped:
            self.finish_reason = "stop"
        return piece

    def _is_stray(self, token: int) -> bool:
        """Whether it is a tag of thinking where nothing is to be opened or closed."""
        return token in self.tags and self.tags[token] != self.parts.awaited_tag


def _sampling(params: ChatParams, defaults: GenerationConfig) -> Sampling:
    """The request's wishes, the model's own for what it leaves open, greedy where neither samples."""
    _check(params)
    temperature = params.temperature
    if temperature is None:
        temperature = (defaults.temperature or 1.0) if defaults.do_sample else 0.0
    if temperature == 0:
        return Sampling()
    default_k = DEFAULT_TOP_K if defaults.top_k is None else defaults.top_k
    default_p = 1.0 if defaults.top_p is None else defaults.top_p
    return Sampling(
        temperature=temperature,
        top_k=default_k if params.top_k is None else params.top_k,
        top_p=default_p if params.top_p is None else params.top_p,
    )


def _check(params: ChatParams) -> None:
    """The web side has checked already; a worker must not break on what came another way."""
    wrong = {
        "max_tokens": (params.max_tokens, params.max_tokens >= 1, "at least 1"),
        "temperature": (params.temperature, (params.temperature or 0) >= 0, "0 or more"),
        "top_p": (params.top_p, params.top_p is None or 0 < params.top_p <= 1, "above 0 and at most 1"),
        "top_k": (params.top_k, (params.top_k or 0) >= 0, "0 (all tokens) or more"),
        "repetition_penalty": (
            params.repetition_penalty,
            params.repetition_penalty is None or params.repetition_penalty > 0,
            "above 0",
        ),
    }
    for name, (value, good, rule) in wrong.items():
        if not good:
            raise EngineError("bad_params", f"{name} is {value}; it must be {rule}.")


def _eos_tokens(defaults: GenerationConfig, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    eos = defaults.eos_token_id
    if eos is None:
        eos = tokenizer.eos_token_id
    return [] if eos is None else [eos] if isinstance(eos, int) else list(eos)


def _started_loop(spec: ModelSpec, loaded: LoadedChat, eos: Sequence[int]) -> BatchLoop | None:
    """The loop, or None when the library cannot batch this model. It is tried with two tokens, not guessed."""
    if not loaded.has_shared_attention:
        log.info("model %s has no attention that both roads can share; its chats run one by one", spec.id)
        return None
    loop = None
    try:
        loop = BatchLoop(loaded.model, batch_limits(spec, loaded), eos)
        for _ in loop.tokens([0], 2, Sampling(), lambda: False):
            pass
    except (EngineError, *REFUSALS) as error:
        log.warning("model %s cannot be batched, its chats run one by one: %s", spec.id, error)
        if loop is not None:
            loop.close()
        return None
    return loop
