"""Every address of the web process but the WebSocket's."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from aigc import health, studio
from aigc.lib.errors import NotAllowed
from apps.jobs.views import metrics


def admin_sign_in(request: HttpRequest) -> HttpResponseBase:
    """The admin has no sign-in form of its own: one form, one limit on tries."""
    if request.user.is_authenticated:
        raise NotAllowed("The admin is for staff; ask whoever runs this installation.")
    return HttpResponseRedirect("/sign-in?" + urlencode({"next": request.GET.get("next", "/admin/")}))


urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("api/v1/", include("apps.accounts.urls")),
    path("api/v1/", include("apps.catalog.urls")),
    path("api/v1/", include("apps.jobs.urls")),
    path("api/v1/", include("apps.chat.urls")),
    path("api/v1/", include("apps.image.urls")),
    path("api/v1/", include("apps.voice.urls")),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/login/", admin_sign_in),
    path("admin/", admin.site.urls),
    path("static/<path:path>", studio.static_file, name="static"),
    # Last: any other address without a dot is a place in the studio.
    re_path(r"^(?!(?:api|admin|static|ws)(?:/|$))[^.]*$", studio.page, name="studio"),
]

handler400 = "aigc.lib.errors.bad_request"
handler403 = "aigc.lib.errors.permission_denied"
handler404 = "aigc.lib.errors.page_not_found"
handler500 = "aigc.lib.errors.server_error"
