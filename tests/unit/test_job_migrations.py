"""What was stored before is there after the tables changed."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

pytestmark = pytest.mark.django_db(transaction=True)


def test_jobs_keep_the_uploads_that_were_in_their_row() -> None:
    before = [("jobs", "0002_job_purpose"), ("accounts", "0001_initial")]
    MigrationExecutor(connection).migrate(before)
    try:
        old = MigrationExecutor(connection).loader.project_state(before).apps
        workspace = old.get_model("accounts", "Workspace").objects.create(name="Ada")
        owner = old.get_model("accounts", "User").objects.create(email="ada@example.org")
        who = {"workspace": workspace, "owner": owner}
        upload = old.get_model("jobs", "Upload").objects.create(**who, width=1, height=1, size=1)
        asked = {"image": str(upload.pk), "mask": str(uuid.uuid4())}
        job = old.get_model("jobs", "Job").objects.create(
            **who, kind="image", input={}, spec={}, attachments=asked
        )
        plain = old.get_model("jobs", "Job").objects.create(**who, kind="chat", input={}, spec={})
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())

    from apps.jobs.models import Job  # noqa: PLC0415  its table is as the model says only now

    assert [(one.name, one.upload_id) for one in Job.objects.get(pk=job.pk).attachments.all()] == [
        ("image", upload.pk)
    ]
    assert not Job.objects.get(pk=plain.pk).attachments.exists()
