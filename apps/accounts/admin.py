"""People, workspaces and keys for whoever runs the installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import BaseUserCreationForm
from django.contrib.auth.forms import UserChangeForm as DjangoUserChangeForm
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from typing_extensions import override
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from apps.accounts.models import ApiKey, Membership, User, Workspace
from apps.accounts.services import ensure_workspace, revoke_api_key
from apps.audit.models import Action
from apps.audit.services import record

if TYPE_CHECKING:  # generic for the checker only: Django's own classes take no parameter when they run
    NewUserFormBase = BaseUserCreationForm[User]
    UserFormBase = DjangoUserChangeForm[User]
    UserAdminBase = DjangoUserAdmin[User]
else:
    NewUserFormBase, UserFormBase, UserAdminBase = BaseUserCreationForm, DjangoUserChangeForm, DjangoUserAdmin

# What members may do is in roles.py; Django's groups would be a second answer.
admin.site.unregister(Group)


class NewUserForm(NewUserFormBase):
    """Email, name and the password twice."""

    class Meta:
        model = User
        fields = ("email", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("email", "name"):
            self.fields[name].widget = UnfoldAdminTextInputWidget()
        for name in ("password1", "password2"):
            self.fields[name].widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})


class UserForm(UserFormBase):
    """A user; the password has a form of its own."""

    class Meta:
        model = User
        fields = ("email", "name", "password", "is_active", "is_staff", "is_superuser")


class MembershipInline(TabularInline):  # type: ignore[misc]  # unfold has no types
    """In which workspaces the user is, and as what."""

    model = Membership
    extra = 0
    autocomplete_fields = ("workspace",)


@admin.register(User)
class UserAdmin(UserAdminBase, ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """People. A new one gets a workspace at once."""

    form = UserForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "name", "is_active", "is_staff", "last_login", "created_at")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name")
    ordering = ("email",)
    filter_horizontal = ()
    readonly_fields = ("last_login", "created_at")
    inlines = (MembershipInline,)
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        (_("May"), {"fields": ("is_active", "is_staff", "is_superuser")}),
        (_("When"), {"fields": ("created_at", "last_login")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "password1", "password2")}),)

    @override
    def get_inlines(self, request: HttpRequest, obj: User | None) -> tuple[type[MembershipInline], ...]:
        return () if obj is None else self.inlines

    @override
    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm[User], change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            workspace_id = ensure_workspace(obj).workspace_id
            record(
                Action.USER_CREATED,
                workspace_id=workspace_id,
                actor_id=request.user.pk,
                target_type="user",
                target_id=obj.pk,
            )


@admin.register(Workspace)
class WorkspaceAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Tenants and their members."""

    list_display = ("name", "created_at")
    search_fields = ("name", "members__email")
    readonly_fields = ("created_at",)

    class Members(TabularInline):  # type: ignore[misc]  # unfold has no types
        """Who is in the workspace."""

        model = Membership
        extra = 0
        autocomplete_fields = ("user",)

    inlines = (Members,)


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Keys: to see and to revoke. `manage.py create_api_key` makes them, since a key is shown only once."""

    list_display = (
        "name",
        "prefix",
        "user",
        "workspace",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    list_select_related = ("user", "workspace")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("name", "prefix", "user__email")
    actions = ("revoke",)

    @admin.action(description=_("Revoke the selected keys for good"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """End the keys; programs that use them are refused from now on."""
        for key in queryset:
            revoke_api_key(key_id=key.pk, revoked_by=request.user.pk)
        self.message_user(
            request, _("Keys revoked: %(number)d.") % {"number": len(queryset)}, messages.SUCCESS
        )

    @override
    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return self.list_display

    @override
    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return self.list_display

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
