"""Pictures for the image jobs that ended before there was a gallery; from then on each job brings its own."""

import uuid
from datetime import timedelta

from django.db import migrations

PAGE = 500


def keep_earlier_pictures(apps, schema_editor):
    """As `services.keep_pictures`, from what the rows know: no file is opened."""
    Job = apps.get_model("jobs", "Job")
    Picture = apps.get_model("image", "Picture")
    ended = Job.objects.filter(kind="image", purpose="", finished_at__isnull=False, artifacts__isnull=False)
    pictures = []
    for job in ended.distinct().prefetch_related("artifacts").iterator(PAGE):
        stored = {artifact.pk for artifact in job.artifacts.all()}
        for number, made in enumerate((job.result or {}).get("artifacts", [])):
            if uuid.UUID(made["id"]) in stored and made.get("width") and made.get("height"):
                pictures.append(
                    Picture(
                        artifact_id=uuid.UUID(made["id"]),
                        job_id=job.pk,
                        workspace_id=job.workspace_id,
                        owner_id=job.owner_id,
                        prompt=job.input["prompt"],
                        model=job.model,
                        seed=made.get("seed"),
                        width=made["width"],
                        height=made["height"],
                        created_at=job.finished_at + timedelta(microseconds=number),
                    )
                )
    Picture.objects.bulk_create(pictures, batch_size=PAGE, ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [("image", "0001_initial"), ("jobs", "0002_job_purpose")]
    operations = [migrations.RunPython(keep_earlier_pictures, migrations.RunPython.noop, elidable=True)]
