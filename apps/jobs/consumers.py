"""`/ws/v1`: one socket per client, many jobs, and notices of what has changed elsewhere.

Signed in by the session cookie with a check of the Origin, or by an API key as the sub-protocol `bearer.KEY` or in a
first frame `{"op": "auth", "token": KEY}`. A frame that is wrong is answered by an error; the socket stays open. It
closes when its client may no longer do what it could at sign-in: each operation asks again, and so does a watch.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import structlog
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError
from typing_extensions import override

from aigc.lib.errors import AppError, ErrorCode, NotSignedIn
from aigc.lib.in_pool import in_pool
from apps.accounts.actors import Actor
from apps.accounts.authentication import actor_of_session
from apps.accounts.services import authenticate_bearer
from apps.jobs import selectors, services
from apps.jobs.events import BEGINNING, Delta, EventId
from apps.jobs.models import Job
from apps.jobs.notices import notice_reader
from apps.jobs.states import Tier
from apps.jobs.stream import LogEntry

logger = structlog.get_logger(__name__)

FRAME_MAX = 1024 * 1024
FOLLOWED_MAX = 100
OWN_NUMBER_MAX = 999_999
AUTH_WITHIN_S = 10.0
# How long a socket may outlive its session, its key, its user or their role.
CHECK_EVERY_S = 15.0
NOT_SIGNED_IN = 4401
FOREIGN_ORIGIN = 4403
BEARER_PREFIX = "bearer."

Op = Callable[[dict[str, Any]], Awaitable[None]]
Identify = Callable[[], Actor | None]
T = TypeVar("T")


class SignedOut(NotSignedIn):
    """The client is no longer who it was when it signed in."""


class JobsConsumer(AsyncWebsocketConsumer):
    """Submits, follows and cancels jobs for one client."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._identify: Identify | None = None
        self._actor: Actor | None = None
        self._watch: asyncio.Task[None] | None = None
        self._notices: asyncio.Task[None] | None = None
        self._followed: dict[str, asyncio.Task[None]] = {}
        self._sign_in_timer: asyncio.TimerHandle | None = None
        self._ops: dict[str, Op] = {
            "submit": self._submit,
            "follow": self._follow,
            "unfollow": self._unfollow,
            "cancel": self._cancel,
            "watch": self._be_told,
            "ping": self._ping,
        }

    # --- the socket

    @override
    async def connect(self) -> None:
        protocol = next((p for p in self.scope["subprotocols"] if p.startswith(BEARER_PREFIX)), None)
        identify: Identify | None = None
        if protocol is not None:
            identify = partial(authenticate_bearer, protocol.removeprefix(BEARER_PREFIX))
        elif self.scope["cookies"].get(settings.SESSION_COOKIE_NAME):
            if not _is_own_origin(self.scope):
                await self.close(FOREIGN_ORIGIN)
                return
            identify = partial(actor_of_session, self.scope["session"])
        elif not _is_own_origin(self.scope, missing=True):
            await self.close(FOREIGN_ORIGIN)
            return
        actor = await in_pool(identify)() if identify else None
        await self.accept(protocol)
        if identify and actor:
            self._begin(identify, actor)
        else:  # a first frame may still bring a key
            loop = asyncio.get_running_loop()
            self._sign_in_timer = loop.call_later(
                AUTH_WITHIN_S, lambda: asyncio.ensure_future(self._turn_away())
            )

    @override
    async def disconnect(self, code: int) -> None:
        if self._sign_in_timer is not None:
            self._sign_in_timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
        self._leave_alone()
        raise StopConsumer

    @override
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        ref: Any = None
        try:
            frame = _parse(text_data)
            ref = frame.get("ref")
            op = _text(frame, "op")
            if op == "auth":
                await self._sign_in(frame)
                return
            if op not in self._ops:
                known = ", ".join(self._ops)
                raise AppError(ErrorCode.BAD_REQUEST, f"op: {op[:50]!r} is not one of {known}.", field="op")
            if self._actor is None:
                raise NotSignedIn
            await self._ops[op](frame)
        except SignedOut:
            await self._turn_away()
        except AppError as error:
            await self._send_error(error, ref)
        except Exception:  # the edge of the socket: one frame's failure must not end it
            logger.exception("frame_failed")
            message = "Something broke on our side; the operator finds the reason in the log."
            await self._send_error(AppError(ErrorCode.INTERNAL, message), ref)

    # --- who the client is

    def _begin(self, identify: Identify, actor: Actor) -> None:
        self._identify, self._actor = identify, actor
        if self._sign_in_timer is not None:
            self._sign_in_timer.cancel()
        if self._watch is None:
            self._watch = asyncio.create_task(self._keep_watch(), name="watch-socket")

    async def _keep_watch(self) -> None:
        """Look now and then whether the client still is who it was, also while it only listens."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            try:
                await in_pool(self._actor_now)()
            except SignedOut:
                await self._turn_away()
                return
            except DatabaseError as error:  # no reason to end streams that need no database
                logger.warning("watch_failed", error=str(error))

    def _actor_now(self) -> Actor:
        """The actor, read again. Raises SignedOut when it is gone or has another workspace or role."""
        identify = self._identify  # the loop's thread may forget it meanwhile
        actor = identify() if identify else None
        if actor is None or actor != self._actor:
            raise SignedOut
        return actor

    async def _as_actor(self, act: Callable[[Actor], T]) -> T:
        """Call a service or selector as who the client is now, in one trip to the thread pool."""
        return await in_pool(lambda: act(self._actor_now()))()

    async def _turn_away(self) -> None:
        self._actor = self._identify = None
        self._leave_alone()
        await self._send_error(NotSignedIn(), None)
        await self.close(NOT_SIGNED_IN)

    # --- the operations

    async def _sign_in(self, frame: dict[str, Any]) -> None:
        identify = partial(authenticate_bearer, _text(frame, "token"))
        actor = await in_pool(identify)()
        if actor is None:
            raise NotSignedIn
        if self._actor not in (None, actor):
            message = "This socket is signed in as somebody else; open another one."
            raise AppError(ErrorCode.CONFLICT, message, field="token")
        self._begin(identify, actor)
        await self._send({"op": "signed_in", "ref": frame.get("ref")})

    async def _submit(self, frame: dict[str, Any]) -> None:
        params = frame.get("input")
        if not isinstance(params, dict):
            raise AppError(
                ErrorCode.BAD_REQUEST, "input: send an object with the medium's parameters.", field="input"
            )
        own_number = _own_number(frame)
        priority = _text(frame, "priority", Tier.INTERACTIVE)
        if priority not in Tier.values:
            message = f"priority: {priority[:50]!r} is not one of {', '.join(Tier.values)}."
            raise AppError(ErrorCode.BAD_REQUEST, message, field="priority")
        job = await self._as_actor(
            lambda actor: services.submit_job(
                actor=actor,
                kind=_text(frame, "kind"),
                params=params,
                model=_text(frame, "model", "") or None,
                tier=Tier(priority),
                idempotency_key=_text(frame, "idempotency_key", ""),
            )
        )
        await self._send({"op": "accepted", "ref": frame.get("ref"), "job": str(job.pk)})
        if frame.get("follow", True):
            self._start_following(job, BEGINNING, own_number)

    async def _follow(self, frame: dict[str, Any]) -> None:
        after, own_number = _text(frame, "after", ""), _own_number(frame)
        try:
            after_id = EventId.parse(after) if after else BEGINNING
        except ValueError as error:
            raise AppError(
                ErrorCode.BAD_REQUEST, f"after: {after[:50]!r} is not an event id.", field="after"
            ) from error
        job = await self._as_actor(lambda actor: selectors.get_job_for(actor, _text(frame, "job")))
        self._start_following(job, after_id, own_number)

    async def _unfollow(self, frame: dict[str, Any]) -> None:
        task = self._followed.pop(_text(frame, "job"), None)
        if task is not None:
            task.cancel()

    async def _cancel(self, frame: dict[str, Any]) -> None:
        job = await self._as_actor(lambda actor: services.cancel_job(actor=actor, job_id=_text(frame, "job")))
        await self._send(
            {"op": "cancelling", "ref": frame.get("ref"), "job": str(job.pk), "status": job.status}
        )

    async def _be_told(self, frame: dict[str, Any]) -> None:
        del frame
        actor = await self._as_actor(lambda actor: actor)
        if self._notices is None:
            self._notices = asyncio.create_task(self._pass_notices_on(actor), name="pass-notices-on")

    async def _pass_notices_on(self, actor: Actor) -> None:
        with notice_reader().listening(workspace_id=actor.workspace_id, user_id=actor.user_id) as notices:
            while True:
                await self.send(await notices.get())

    async def _ping(self, frame: dict[str, Any]) -> None:
        await self._send({"op": "pong", "ref": frame.get("ref")})

    # --- following

    def _start_following(self, job: Job, after: EventId, own_number: int | None) -> None:
        job_id = str(job.pk)
        if job_id in self._followed:
            self._followed.pop(job_id).cancel()
        if len(self._followed) >= FOLLOWED_MAX:
            message = f"You follow {FOLLOWED_MAX} jobs on this socket, the most that one may; unfollow some."
            raise AppError(ErrorCode.RATE_LIMITED, message, job=job_id)
        self._followed[job_id] = asyncio.create_task(
            self._pass_on(job, after, own_number), name=f"follow-{job_id}"
        )

    async def _pass_on(self, job: Job, after: EventId, own_number: int | None) -> None:
        job_id = str(job.pk)
        try:
            async for batch in selectors.follow(job, after):
                for entry in batch:
                    await self.send(_event_frame(job_id, own_number, entry))
        except Exception:  # the edge of the task: the client must hear that nothing more comes
            logger.exception("follow_failed", job=job_id)
            message = (
                "The events of this job stopped on our side; follow it again from the last id that you saw."
            )
            await self._send_error(AppError(ErrorCode.INTERNAL, message, job=job_id), None)
        finally:
            if self._followed.get(job_id) is asyncio.current_task():
                del self._followed[job_id]

    def _leave_alone(self) -> None:
        """Nothing more goes to this client."""
        if self._notices is not None:
            self._notices.cancel()
            self._notices = None
        for task in self._followed.values():
            task.cancel()
        self._followed.clear()

    async def _send(self, frame: dict[str, Any]) -> None:
        await self.send(json.dumps({key: value for key, value in frame.items() if value is not None}))

    async def _send_error(self, error: AppError, ref: Any) -> None:
        await self._send({"op": "error", "ref": ref, **error.as_json()["error"]})


def _parse(text: str | None) -> dict[str, Any]:
    if text is None:
        raise AppError(ErrorCode.BAD_REQUEST, "Frames are JSON text, not binary.")
    if len(text) > FRAME_MAX:
        message = f"The frame has {len(text)} characters, more than the {FRAME_MAX} that one may have."
        raise AppError(ErrorCode.TOO_LARGE, message, limit=FRAME_MAX)
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AppError(ErrorCode.BAD_REQUEST, "The frame is not JSON.") from error
    if not isinstance(frame, dict):
        raise AppError(ErrorCode.BAD_REQUEST, "The frame is not a JSON object.")
    return frame


def _text(frame: dict[str, Any], name: str, default: str | None = None) -> str:
    value = frame.get(name, default)
    if not isinstance(value, str):
        raise AppError(ErrorCode.BAD_REQUEST, f"{name}: send a string.", field=name)
    return value


def _own_number(frame: dict[str, Any]) -> int | None:
    """The client's own number of the job, under which its deltas come in short."""
    value = frame.get("as")
    if value is not None and (type(value) is not int or not 0 <= value <= OWN_NUMBER_MAX):
        raise AppError(ErrorCode.BAD_REQUEST, f"as: send an integer from 0 to {OWN_NUMBER_MAX}.", field="as")
    return value


def _event_frame(job_id: str, own_number: int | None, entry: LogEntry) -> str:
    """The event's frame; its data is JSON already: parsing it to write it again would be most of the work."""
    if own_number is not None and entry.type == Delta.type:
        return f'[{own_number},"{entry.id}",{entry.data}]'
    return f'{{"op":"event","job":"{job_id}","id":"{entry.id}","type":"{entry.type}","data":{entry.data}}}'


def _is_own_origin(scope: Mapping[str, Any], *, missing: bool = False) -> bool:
    """Whether the page that opened the socket is ours; `missing` for clients that send no Origin (no browser)."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin", b"").decode("latin-1")
    if not origin:
        return missing
    host = headers.get(b"host", b"").decode("latin-1")
    return urlsplit(origin).netloc == host or origin in settings.CSRF_TRUSTED_ORIGINS
