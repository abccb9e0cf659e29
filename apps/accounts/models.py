"""Who is who: users, workspaces, members, API keys and the link that greets the first admin."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from typing_extensions import override

from apps.accounts.roles import Role


def normalized_email(email: str) -> str:
    """The one spelling that an address is stored and looked up in."""
    return email.strip().lower()


class UserManager(BaseUserManager["User"]):
    """Makes the bare row; `services.create_user` is the way to make a person with a workspace."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A user row without a workspace."""
        user = self.model(email=normalized_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """For Django's `createsuperuser`; such a user gets a workspace at the first sign-in."""
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})

    @override
    def get_by_natural_key(self, username: str | None) -> User:
        """Sign-in does not care how an address is capitalised."""
        return self.get(email=normalized_email(username or ""))


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by email."""

    id = models.UUIDField(_("ID"), primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("email"), unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(
        _("staff"), default=False, help_text=_("May open the admin and manage models.")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = (
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_lower_case"),
        )

    @override
    def __str__(self) -> str:
        return self.email

    @override
    def clean(self) -> None:
        """Forms may bring any spelling; the row keeps one."""
        super().clean()
        self.email = normalized_email(self.email)

    def get_short_name(self) -> str:
        """What a greeting calls the person."""
        return self.name or self.email.partition("@")[0]


class Workspace(models.Model):
    """The tenant: everything that is made belongs to one."""

    id = models.UUIDField(_("ID"), primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=100)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    members = models.ManyToManyField(
        "accounts.User", through="accounts.Membership", verbose_name=_("members"), related_name="workspaces"
    )

    class Meta:
        verbose_name = _("workspace")
        verbose_name_plural = _("workspaces")

    @override
    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A user in a workspace, with a role."""

    workspace = models.ForeignKey(
        Workspace, models.CASCADE, verbose_name=_("workspace"), related_name="memberships"
    )
    user = models.ForeignKey(User, models.CASCADE, verbose_name=_("user"), related_name="memberships")
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = (
            models.UniqueConstraint(fields=["user", "workspace"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        )

    @override
    def __str__(self) -> str:
        return f"{self.user} in {self.workspace} as {self.role}"


class ApiKey(models.Model):
    """A program's way in: it acts as its user in one workspace. Only the hash of the key is kept.

    A key reads `prefix.secret`; the prefix finds the row. djangorestframework-api-key makes the key and
    its hash; its abstract model is not used, since importing it installs a second, empty key table, and its
    primary key carries the hash into every address of the admin.
    """

    id = models.UUIDField(_("ID"), primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, verbose_name=_("user"), related_name="api_keys")
    workspace = models.ForeignKey(
        Workspace, models.CASCADE, verbose_name=_("workspace"), related_name="api_keys"
    )
    name = models.CharField(_("name"), max_length=50)

    prefix = models.CharField(_("prefix"), max_length=8, unique=True, editable=False)
    hashed_key = models.CharField(max_length=150, editable=False)

    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(
        _("expires"), null=True, blank=True, help_text=_("Empty: works until it is revoked.")
    )
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(
        _("last used"), null=True, blank=True, editable=False, help_text=_("To within five minutes.")
    )

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ("-created_at",)

    @override
    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class WelcomeLink(models.Model):
    """The one-time link that lets somebody become the first admin. At most one row is unused."""

    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            # A constant expression makes the index hold one entry at most: one unused link.
            models.UniqueConstraint(
                models.Value(1), condition=models.Q(used_at__isnull=True), name="welcome_link_one_unused"
            ),
        )

    @override
    def __str__(self) -> str:
        return f"Welcome link of {self.created_at:%Y-%m-%d %H:%M}"
