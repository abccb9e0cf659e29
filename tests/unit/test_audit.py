"""The audit log."""

from __future__ import annotations

import pytest
from django.contrib.admin.sites import site
from django.db import transaction
from django.test import Client, RequestFactory

from aigc.lib.client_ip import bind_client_ip
from aigc.lib.request_id import bind_request_id
from apps.accounts.models import User, Workspace
from apps.audit.models import Action, AuditEntry
from apps.audit.services import record
from tests.unit.accounts_people import make_actor, make_user

pytestmark = pytest.mark.django_db


def test_an_entry_says_who_what_where_and_from_which_request() -> None:
    ada = make_actor("ada")
    bind_request_id("request-0001")
    bind_client_ip("192.0.2.7")

    record(
        Action.JOB_CANCELLED,
        workspace_id=ada.workspace_id,
        actor_id=ada.user_id,
        target_type="job",
        target_id=7,
        data={"old": "running"},
    )

    entry = AuditEntry.objects.get(action=Action.JOB_CANCELLED)
    assert (entry.actor_id, entry.workspace_id) == (ada.user_id, ada.workspace_id)
    assert (entry.target_type, entry.target_id, entry.data) == ("job", "7", {"old": "running"})
    assert (entry.request_id, entry.ip) == ("request-0001", "192.0.2.7")
    assert str(entry).endswith("job.cancelled job 7")


@pytest.mark.usefixtures("run_redis")
def test_a_request_leaves_its_id_and_address(client: Client) -> None:
    body = {"email": "eve@example.org", "password": "wrong"}
    answer = client.post("/api/v1/session", body, content_type="application/json", REMOTE_ADDR="192.0.2.9")

    entry = AuditEntry.objects.get(action=Action.SIGN_IN_FAILED)
    assert (entry.request_id, entry.ip) == (answer["X-Request-ID"], "192.0.2.9")
    assert (entry.target_id, entry.actor, "wrong" in str(entry.data)) == ("eve@example.org", None, False)


def test_an_entry_of_a_deed_that_is_rolled_back_goes_with_it() -> None:
    def break_off() -> None:
        with transaction.atomic():
            record(Action.MODEL_CHANGED)
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        break_off()
    assert not AuditEntry.objects.exists()


def test_the_log_outlives_the_people_and_workspaces_it_tells_of() -> None:
    make_user("ada")
    entries = AuditEntry.objects.count()

    User.objects.all().delete()
    Workspace.objects.all().delete()

    assert AuditEntry.objects.count() == entries
    assert AuditEntry.objects.filter(actor=None, workspace=None, target_type="user").exists()


def test_nobody_changes_the_log_in_the_admin_not_even_a_superuser() -> None:
    request = RequestFactory().get("/admin/audit/auditentry/")
    request.user = User(is_staff=True, is_superuser=True)
    page = site.get_model_admin(AuditEntry)

    assert page.has_view_permission(request)
    assert not page.has_add_permission(request)
    assert not page.has_change_permission(request)
    assert not page.has_delete_permission(request)
