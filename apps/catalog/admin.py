"""The catalogue, for staff."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _
from typing_extensions import override
from unfold.admin import ModelAdmin

from aigc.lib.errors import AppError
from apps.accounts.actors import Actor
from apps.accounts.models import User
from apps.accounts.services import actor_for_session
from apps.catalog.models import Model
from apps.catalog.selectors import LoadState, model_states
from apps.catalog.services import disable_model, enable_model, make_default, save_model

STATES: dict[LoadState, Any] = {
    "idle": _("idle"),
    "downloading": _("downloading"),
    "loading": _("loading"),
    "ready": _("ready"),
    "failed": _("failed"),
}


@admin.register(Model)
class ModelAdminPage(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Models. Disable one instead of deleting it: a deleted entry that the product knows comes back."""

    list_display = ("name", "id", "medium", "engine", "enabled", "is_default", "size", "state")
    list_filter = ("medium", "engine", "enabled", "demo")
    search_fields = ("id", "name", "source")
    actions = ("enable", "disable", "set_default")
    readonly_fields = ("is_default", "created_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("id", "name", "notes", "enabled", "is_default")}),
        (
            _("What runs it"),
            {"fields": ("medium", "engine", "source", "revision", "quantization", "dtype", "options")},
        ),
        (
            _("What it is"),
            {"fields": ("demo", "random", "size_bytes", "languages", "created_at", "updated_at")},
        ),
    )

    @admin.display(description=_("Download"), ordering="size_bytes")
    def size(self, model: Model) -> str:
        """What enabling it fetches."""
        return filesizeformat(model.size_bytes) if model.size_bytes else "-"

    @admin.display(description=_("State"))
    def state(self, model: Model) -> str:
        """What the workers say about it."""
        state = model_states([model.pk])[model.pk]
        share = (
            f" {100 * state['done'] // state['total']} %"
            if state["total"] and state["state"] != "ready"
            else ""
        )
        return f"{STATES[state['state']]}{share} {state['message']}".rstrip()

    @admin.action(description=_("Enable: fetch and offer"), permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Model]) -> None:
        """Enable the selected models."""
        self._for_each(request, queryset, enable_model)

    @admin.action(description=_("Disable"), permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Model]) -> None:
        """Disable the selected models."""
        self._for_each(request, queryset, disable_model)

    @admin.action(description=_("Make the default of its medium"), permissions=["change"])
    def set_default(self, request: HttpRequest, queryset: QuerySet[Model]) -> None:
        """Make the selected models the defaults of their media."""
        self._for_each(request, queryset, make_default)

    def _for_each(
        self, request: HttpRequest, queryset: QuerySet[Model], change: Callable[[Actor, str], None]
    ) -> None:
        for model_id in queryset.values_list("pk", flat=True):
            try:
                change(_actor(request), model_id)
            except AppError as error:
                self.message_user(request, error.message, messages.ERROR)
            else:
                self.message_user(request, _("%(id)s: done.") % {"id": model_id}, messages.SUCCESS)

    @override
    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj is None else ("id", *self.readonly_fields)

    @override
    def save_model(
        self, request: HttpRequest, obj: Model, form: forms.ModelForm[Model], change: bool
    ) -> None:
        save_model(_actor(request), obj, changed=form.changed_data)


def _actor(request: HttpRequest) -> Actor:
    return actor_for_session(cast("User", request.user))
