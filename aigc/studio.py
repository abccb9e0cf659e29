"""The built page and the static files.

WhiteNoise's middleware is synchronous and would send every request of the product through a thread; used as
a library behind one view, it costs only the requests for files.
"""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.html import escape
from django.views.decorators.http import require_safe
from typing_extensions import override
from whitenoise import WhiteNoise  # type: ignore[import-untyped]  # ships no types

STUDIO_PREFIX = "/static/studio/"
# Vite writes a hash of the content into the names under assets/, so those never change.
IMMUTABLE = r"^/static/studio/assets/.+-[A-Za-z0-9_-]{8}\.\w+$"
NOT_BUILT = """<!doctype html><html lang="en"><title>AIGC Studio</title>
<h1>The page is not built yet</h1>
<p><code>make run</code> builds it. By hand, in <code>frontend/</code>:
<code>npm ci &amp;&amp; npm run build</code> (looked for <code>{path}</code>).</p>
<p>The API works without it: <a href="/api/docs">/api/docs</a>.</p></html>"""


class StaticFiles(WhiteNoise):  # type: ignore[misc]  # the library has no types
    """The files of Django's apps under /static/ and of the built page under /static/studio/."""

    def __init__(self) -> None:
        # With AIGC_DEBUG each request looks at the disk again, so that a rebuilt page shows.
        super().__init__(None, autorefresh=settings.DEBUG, max_age=60, immutable_file_test=IMMUTABLE)
        if settings.FRONTEND_DIST.is_dir():
            self.add_files(settings.FRONTEND_DIST, prefix=STUDIO_PREFIX)
        if not settings.DEBUG:
            for finder in finders.get_finders():
                for path, storage in finder.list([]):
                    url = settings.STATIC_URL + path.replace("\\", "/")
                    if url not in self.files:
                        self.add_file_to_dictionary(url, storage.path(path))

    @override
    def candidate_paths_for_url(self, url: str) -> list[str]:
        found = finders.find(url.removeprefix(settings.STATIC_URL))
        return [*super().candidate_paths_for_url(url), *([found] if found else [])]

    def response(self, request: HttpRequest) -> HttpResponse:
        """The file at the request's path: ranges, ETag and compressed twins included. Raises Http404."""
        url = request.path_info
        file = self.find_file(url) if self.autorefresh else self.files.get(url)
        if file is None:
            raise Http404
        found = file.get_response(request.method, request.META)
        body = b""
        if found.file is not None:
            with found.file:
                body = found.file.read()
        return HttpResponse(body, status=int(found.status), headers=dict(found.headers))


@cache
def _static_files() -> StaticFiles:
    return StaticFiles()


@require_safe
def static_file(request: HttpRequest, path: str) -> HttpResponse:
    """One static file."""
    del path
    return _static_files().response(request)


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The one page of the studio; what it shows is the business of its own router."""
    del request
    index = settings.FRONTEND_DIST / "index.html"
    try:
        html = index.read_bytes()
    except FileNotFoundError:
        return HttpResponse(NOT_BUILT.format(path=escape(str(index))), status=503)
    return HttpResponse(html, headers={"Cache-Control": "no-cache"})
