"""How much a run of the suite measures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """`rounds` repeats what is compared, one after the other in turn. The chat model is `fake-50x400`."""

    name: str
    tokens: int  # of each stream, at 50 a second
    rounds: int
    sse: tuple[int, ...]  # streams at once
    peers_at: int  # of those, where LiteLLM and Open WebUI are asked too
    pass_through_at: int  # and Open WebUI once more
    websocket: tuple[int, ...]
    restart_streams: int
    memory_streams: int
    slow_each: int  # readers that never read, by SSE and by WebSocket each
    slow_s: float  # for so long
    slow_others: int  # streams of readers that read
    slow_tokens: int
    submits: int  # one after the other, for each transport
    engine_rounds: int
    chats: int
    chats_in_turn: int  # so many of them also one after the other
    chat_tokens: int
    images: int
    image_steps: int
    voices: int
    voice_repeats: int  # of the sentences in each speech
    studio_messages: int  # in the conversation that is open
    studio_tokens: int  # of the answer that streams into it, at 100 a second


FULL = Sizes(
    name="full",
    tokens=400,
    rounds=3,
    sse=(25, 100, 200, 400),
    peers_at=100,
    pass_through_at=200,
    websocket=(60, 150),
    restart_streams=100,
    memory_streams=200,
    slow_each=50,
    slow_s=30.0,
    slow_others=50,
    slow_tokens=300,
    submits=200,
    engine_rounds=3,
    chats=16,
    chats_in_turn=4,
    chat_tokens=256,
    images=8,
    image_steps=20,
    voices=8,
    voice_repeats=3,
    studio_messages=1000,
    studio_tokens=3000,
)
QUICK = Sizes(
    name="quick",
    tokens=100,
    rounds=1,
    sse=(25, 100, 200, 400),
    peers_at=100,
    pass_through_at=200,
    websocket=(60, 150),
    restart_streams=50,
    memory_streams=200,
    slow_each=50,
    slow_s=12.0,
    slow_others=50,
    slow_tokens=100,
    submits=60,
    engine_rounds=1,
    chats=16,
    chats_in_turn=2,
    chat_tokens=128,
    images=8,
    image_steps=10,
    voices=8,
    voice_repeats=1,
    studio_messages=1000,
    studio_tokens=1000,
)
# Shows that all of it works, on any machine; its figures say nothing.
SMOKE = Sizes(
    name="smoke",
    tokens=20,
    rounds=1,
    sse=(10,),
    peers_at=10,
    pass_through_at=10,
    websocket=(5,),
    restart_streams=10,
    memory_streams=10,
    slow_each=3,
    slow_s=4.0,
    slow_others=3,
    slow_tokens=20,
    submits=5,
    engine_rounds=1,
    chats=4,
    chats_in_turn=2,
    chat_tokens=16,
    images=2,
    image_steps=2,
    voices=2,
    voice_repeats=1,
    studio_messages=20,
    studio_tokens=100,
)
