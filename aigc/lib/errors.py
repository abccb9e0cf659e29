"""One error shape for every transport: `{"error": {"code", "message", "request_id", ...}}`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions as drf
from rest_framework.response import Response

from aigc.lib.loop_middleware import LoopMiddleware
from aigc.lib.request_id import current_request_id

log = structlog.get_logger(__name__)


class ErrorCode(StrEnum):
    """What went wrong, for programs. A value, once published, keeps its meaning."""

    BAD_REQUEST = "bad_request"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    CONFLICT = "conflict"
    GONE = "gone"
    LENGTH_REQUIRED = "length_required"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    RATE_LIMITED = "rate_limited"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"
    MODEL_NOT_FOUND = "model_not_found"
    MODEL_DISABLED = "model_disabled"


STATUS_OF: dict[ErrorCode, int] = {
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.NOT_ACCEPTABLE: 406,
    ErrorCode.CONFLICT: 409,
    ErrorCode.GONE: 410,
    ErrorCode.LENGTH_REQUIRED: 411,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: 415,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.INTERNAL: 500,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.MODEL_NOT_FOUND: 404,
    ErrorCode.MODEL_DISABLED: 404,
}
# The code of an answer for which a library chose only the status.
CODE_OF = {status: code for code, status in reversed(STATUS_OF.items())}


class AppError(Exception):
    """A failure that the client is told about: a code for programs and a sentence for people.

    `data` joins the error object (`field` names the input that was wrong); `retry_after_s` becomes the
    `Retry-After` header, rounded up.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        field: str | None = None,
        retry_after_s: float | None = None,
        **data: Any,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.retry_after_s = code, message, retry_after_s
        self.data: dict[str, Any] = data if field is None else {"field": field, **data}

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS_OF[self.code]

    @property
    def headers(self) -> dict[str, str]:
        """The HTTP headers that belong to the answer."""
        if self.retry_after_s is not None:
            return {"Retry-After": str(max(1, -int(-self.retry_after_s // 1)))}
        if self.code is ErrorCode.UNAUTHENTICATED:
            return {"WWW-Authenticate": "Bearer"}
        return {}

    def as_json(self) -> dict[str, Any]:
        """The body, the same on every transport."""
        return error_body(self.code, self.message, self.data)


class NotSignedIn(AppError):
    """Nobody is signed in and no valid API key came along."""

    def __init__(self, message: str = "Sign in, or send an API key as Authorization: Bearer KEY.") -> None:
        super().__init__(ErrorCode.UNAUTHENTICATED, message)


class NotAllowed(AppError):
    """The role does not allow it."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.FORBIDDEN, message)


class TooLarge(AppError):
    """The body is larger than AIGC_MAX_BODY_MB."""

    def __init__(self, limit_bytes: int) -> None:
        limit_mb = limit_bytes // 1024 // 1024
        message = f"The request is larger than {limit_mb} MB; send less, or raise AIGC_MAX_BODY_MB."
        super().__init__(ErrorCode.TOO_LARGE, message, limit_bytes=limit_bytes)


def error_body(code: str, message: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The one shape."""
    return {"error": {"code": code, "message": message, "request_id": current_request_id(), **(data or {})}}


def error_response(error: AppError) -> JsonResponse:
    """The answer of a plain Django view."""
    return JsonResponse(error.as_json(), status=error.status, headers=error.headers)


class AppErrorMiddleware(LoopMiddleware):
    """Gives plain Django views, async ones too, what `exception_handler` gives to REST framework's."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> JsonResponse | None:
        """Answer for the exceptions that we know; the rest is Django's."""
        del request
        known = app_error(exception)
        return None if known is None else error_response(known)


def exception_handler(exception: Exception, context: Mapping[str, Any]) -> Response | None:
    """REST framework's hook. An unknown exception stays one: Django logs it and `server_error` answers."""
    del context
    known = app_error(exception)
    if known is None:
        return None
    return Response(known.as_json(), status=known.status, headers=known.headers)


def app_error(exception: BaseException) -> AppError | None:
    """The error that a known exception stands for, or None."""
    if isinstance(exception, AppError):
        return exception
    if isinstance(exception, drf.APIException):
        return _rest_framework_error(exception)
    return _django_error(exception)


def _django_error(exception: BaseException) -> AppError | None:
    if isinstance(exception, Http404):
        return AppError(ErrorCode.NOT_FOUND, "There is nothing here, or you may not see it.")
    if isinstance(exception, PermissionDenied):
        return AppError(ErrorCode.FORBIDDEN, str(exception) or "You may not do this.")
    if isinstance(exception, RequestDataTooBig):
        return TooLarge(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    return None


def _rest_framework_error(exception: drf.APIException) -> AppError:
    if isinstance(exception, drf.ValidationError):
        return _validation_error(exception)
    if isinstance(exception, drf.Throttled):
        wait_s = float(getattr(exception, "wait", None) or 1)  # the stubs do not know it
        message = f"Too many requests; try again in {wait_s:.0f} s."
        return AppError(ErrorCode.RATE_LIMITED, message, retry_after_s=wait_s)
    if isinstance(exception, (drf.NotAuthenticated, drf.AuthenticationFailed)):
        return NotSignedIn()
    return AppError(CODE_OF.get(exception.status_code, ErrorCode.INTERNAL), _sentence(exception.detail))


def _validation_error(exception: drf.ValidationError) -> AppError:
    faults = dict(_faults(exception.detail))
    field, message = next(iter(faults.items()))
    if not field:
        return AppError(ErrorCode.BAD_REQUEST, message)
    error = AppError(ErrorCode.BAD_REQUEST, f"{field}: {message}", field=field)
    if len(faults) > 1:
        error.data["fields"] = faults
    return error


def _faults(detail: Any, path: str = "") -> list[tuple[str, str]]:
    """Each fault as (dotted path, sentence)."""
    if isinstance(detail, Mapping):
        items = [(_join(path, str(name)), inner) for name, inner in detail.items()]
        return [fault for inner_path, inner in items for fault in _faults(inner, inner_path)]
    if isinstance(detail, list) and detail and not all(isinstance(inner, str) for inner in detail):
        # A list field reports an entry for each of its items, an empty one where the item is good.
        return [
            fault for i, inner in enumerate(detail) if inner for fault in _faults(inner, _join(path, str(i)))
        ]
    return [(path, _sentence(detail))]


def _join(path: str, name: str) -> str:
    if name == "non_field_errors":
        return path
    return f"{path}.{name}" if path else name


def _sentence(detail: Any) -> str:
    if isinstance(detail, list):
        return " ".join(str(inner) for inner in detail) or "The value is not valid."
    return str(detail)


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler400."""
    del request
    known = app_error(exception) or AppError(ErrorCode.BAD_REQUEST, "The request cannot be understood.")
    return error_response(known)


def permission_denied(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler403."""
    del request
    known = app_error(exception) or AppError(ErrorCode.FORBIDDEN, "You may not do this.")
    return error_response(known)


def page_not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler404."""
    del exception
    return error_response(
        AppError(ErrorCode.NOT_FOUND, f"There is nothing at {request.path}, or you may not see it.")
    )


def server_error(request: HttpRequest) -> JsonResponse:
    """Django's handler500. Django has logged the traceback with the request id."""
    del request
    message = "Something broke on our side. The operator finds the reason in the log under this request_id."
    return error_response(AppError(ErrorCode.INTERNAL, message))


def csrf_failure(request: HttpRequest, reason: str = "") -> JsonResponse:
    """Django's CSRF_FAILURE_VIEW."""
    log.info("csrf_refused", reason=reason, path=request.path)
    message = f"The request was refused as forged ({reason}). Reload the page and try again."
    return error_response(AppError(ErrorCode.FORBIDDEN, message))
