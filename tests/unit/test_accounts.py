"""Users, workspaces, roles."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction

from aigc.lib.errors import AppError, ErrorCode, NotAllowed
from apps.accounts.models import Membership, User, Workspace
from apps.accounts.roles import PERMISSIONS, Permission, Role, can
from apps.accounts.services import actor_for_session, create_user, ensure_workspace
from apps.audit.models import Action, AuditEntry
from tests.unit.accounts_people import PASSWORD, make_actor, make_user

pytestmark = pytest.mark.django_db


def test_a_new_user_owns_a_workspace_of_their_own() -> None:
    ada = make_user("ada")

    membership = Membership.objects.get(user=ada)
    assert membership.role == Role.OWNER
    assert membership.workspace.name == "Ada's workspace"
    entry = AuditEntry.objects.get(action=Action.USER_CREATED)
    assert (entry.actor_id, entry.workspace_id, entry.target_id) == (
        ada.pk,
        membership.workspace_id,
        str(ada.pk),
    )


def test_an_address_is_kept_in_small_letters_and_found_in_any_spelling() -> None:
    create_user(email="  Ada@Example.ORG ", password=PASSWORD)

    assert User.objects.get().email == "ada@example.org"
    assert User.objects.get_by_natural_key("ADA@example.org") == User.objects.get()


def test_the_database_refuses_an_address_with_capitals() -> None:
    with pytest.raises(IntegrityError, match="user_email_lower_case"), transaction.atomic():
        User.objects.bulk_create([User(email="Ada@example.org")])


def test_a_taken_address_is_a_conflict_in_any_spelling_and_leaves_nothing_behind() -> None:
    make_user("ada")

    with pytest.raises(AppError) as refused:
        create_user(email="ADA@example.org", password=PASSWORD)

    assert refused.value.code is ErrorCode.CONFLICT
    assert refused.value.data["field"] == "email"
    assert (User.objects.count(), Workspace.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("email", "password", "field"),
    [
        ("not-an-address", PASSWORD, "email"),
        ("", PASSWORD, "email"),
        ("ada@example.org", "short", "password"),
        ("ada@example.org", "password1234", "password"),
        ("ada.lovelace@example.org", "ada.lovelace", "password"),
    ],
)
def test_a_bad_address_or_weak_password_is_named(email: str, password: str, field: str) -> None:
    with pytest.raises(AppError) as refused:
        create_user(email=email, password=password)

    assert refused.value.code is ErrorCode.BAD_REQUEST
    assert refused.value.data["field"] == field
    assert not User.objects.exists()


def test_a_superuser_of_createsuperuser_gets_one_workspace_at_the_first_use() -> None:
    call_command("createsuperuser", "--noinput", "--email", "root@example.org", verbosity=0)
    root = User.objects.get()
    assert not root.memberships.exists()

    first, second = ensure_workspace(root), ensure_workspace(root)

    assert first == second
    assert (first.role, Workspace.objects.count()) == (Role.OWNER, 1)


def test_nobody_is_a_member_of_a_workspace_twice() -> None:
    ada = make_user("ada")
    workspace = ada.workspaces.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(user=ada, workspace=workspace, role=Role.VIEWER)


def test_the_database_refuses_a_role_that_does_not_exist() -> None:
    ada = make_user("ada")
    with pytest.raises(IntegrityError, match="membership_role_known"), transaction.atomic():
        Membership.objects.filter(user=ada).update(role="king")


def test_each_role_may_do_what_the_one_below_it_may() -> None:
    for above, below in zip(list(Role), list(Role)[1:], strict=False):
        assert PERMISSIONS[above] > PERMISSIONS[below], (above, below)
    assert PERMISSIONS[Role.OWNER] == set(Permission)


@pytest.mark.parametrize(
    ("role", "permission", "allowed"),
    [
        (Role.VIEWER, Permission.SUBMIT_JOBS, False),
        (Role.CREATOR, Permission.SUBMIT_JOBS, True),
        (Role.CREATOR, Permission.READ_ALL_JOBS, False),
        (Role.REVIEWER, Permission.READ_ALL_JOBS, True),
        (Role.REVIEWER, Permission.CANCEL_ALL_JOBS, False),
        (Role.ADMIN, Permission.MANAGE_MEMBERS, True),
        (Role.ADMIN, Permission.MANAGE_WORKSPACE, False),
    ],
)
def test_the_role_table(role: Role, permission: Permission, allowed: bool) -> None:
    assert can(role, permission) is allowed


def test_an_actor_without_a_permission_is_told_which_role_lacks_it() -> None:
    ada = make_user("ada")
    Membership.objects.filter(user=ada).update(role=Role.VIEWER)

    with pytest.raises(NotAllowed, match=r"viewer.*jobs\.submit"):
        actor_for_session(ada).check(Permission.SUBMIT_JOBS)


def test_an_actor_works_in_the_workspace_it_asks_for_only_if_it_is_a_member() -> None:
    ada, grace = make_user("ada"), make_user("grace")
    theirs, own = grace.workspaces.get(), ada.workspaces.get()

    assert actor_for_session(ada, workspace_id=theirs.pk).workspace_id == own.pk
    Membership.objects.create(user=ada, workspace=theirs, role=Role.CREATOR)
    actor = actor_for_session(ada, workspace_id=theirs.pk)
    assert (actor.workspace_id, actor.role) == (theirs.pk, Role.CREATOR)


def test_an_owner_of_a_workspace_is_not_staff_of_the_installation() -> None:
    with pytest.raises(NotAllowed, match="staff"):
        make_actor("ada").check_staff()


def test_the_admin_form_reports_a_taken_address_in_another_spelling() -> None:
    make_user("ada")
    with pytest.raises(ValidationError, match="already exists"):
        User(email="ADA@example.org", password="x").full_clean()
