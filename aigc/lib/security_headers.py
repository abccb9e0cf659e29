"""What browsers may do with our pages."""

from __future__ import annotations

import re

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from aigc.lib.loop_middleware import LoopMiddleware

# `connect-src 'self'` covers ws: and wss: of the same host in the browsers of today; KaTeX and the editor
# set style attributes through the DOM, which this policy allows.
STRICT = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
# Alpine.js in django-unfold evaluates attributes; both pages carry inline scripts and styles.
RELAXED = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
RELAXED_PLACES = re.compile(r"/(?:admin|api/docs)(?:/|$)")
YEAR_S = 31_536_000


class SecurityHeadersMiddleware(LoopMiddleware):
    """Sets the headers of Django's SecurityMiddleware, of clickjacking protection and of CSP in one go."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """A view that set one of the headers itself is left its own."""
        policy = RELAXED if RELAXED_PLACES.match(request.path_info) else STRICT
        headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), payment=(), usb=()",
        }
        if settings.SESSION_COOKIE_SECURE:
            headers["Strict-Transport-Security"] = f"max-age={YEAR_S}"
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response
