"""Views that are not async, in the pool of `in_pool`."""

from __future__ import annotations

from asyncio import iscoroutinefunction
from collections.abc import Callable
from typing import Any, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from aigc.lib.errors import app_error, error_response
from aigc.lib.in_pool import in_pool
from aigc.lib.loop_middleware import LoopMiddleware


class SyncViewsInPool(LoopMiddleware):
    """Runs views that are not async in the pool. The last middleware, so that all others have had their say."""

    async def process_view(
        self,
        request: HttpRequest,
        callback: Callable[..., HttpResponseBase],
        callback_args: tuple[Any, ...],
        callback_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        """The view's answer; None for an async view, which Django calls itself, as it does all under WSGI."""
        if not self.async_mode or iscoroutinefunction(callback):
            return None
        try:
            return await in_pool(_answer)(callback, request, *callback_args, **callback_kwargs)
        except Exception as error:
            # Django asks its `process_exception` hooks only about views that it called itself.
            if (known := app_error(error)) is None:
                raise
            return error_response(known)


def _answer(
    callback: Callable[..., HttpResponseBase], request: HttpRequest, *args: Any, **kwargs: Any
) -> HttpResponseBase:
    response: Any = callback(request, *args, **kwargs)
    if callable(getattr(response, "render", None)):
        response = response.render()
        response.render = None  # or Django would start a thread to render it again
    return cast("HttpResponseBase", response)
