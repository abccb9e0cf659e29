from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def keep_attachments(apps: Any, _: Any) -> None:
    Job, Upload, Attachment = (apps.get_model("jobs", name) for name in ("Job", "Upload", "Attachment"))
    uploads = {str(id_): id_ for id_ in Upload.objects.values_list("pk", flat=True)}
    jobs = Job.objects.exclude(old_attachments={}).values_list("pk", "old_attachments")
    Attachment.objects.bulk_create(
        Attachment(job_id=job, upload_id=uploads[upload], name=name)
        for job, attachments in jobs.iterator()
        for name, upload in attachments.items()
        if upload in uploads
    )


class Migration(migrations.Migration):
    dependencies = [("jobs", "0002_job_purpose")]

    operations = [
        migrations.RenameField("job", "attachments", "old_attachments"),
        migrations.CreateModel(
            name="Attachment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=20)),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="attachments", to="jobs.job"
                    ),
                ),
                (
                    "upload",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="attachments", to="jobs.upload"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("job", "name"), name="attachment_name_once")]
            },
        ),
        migrations.RunPython(keep_attachments, migrations.RunPython.noop),
        migrations.RemoveField("job", "old_attachments"),
    ]
