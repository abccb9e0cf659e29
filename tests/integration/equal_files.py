"""Run by `manage.py shell` in a product: one person uploads the same picture over and over while it is erased."""

from __future__ import annotations

import io
import sys
import threading
import time
from datetime import timedelta
from typing import Any, cast

from django.core.files.storage import FileSystemStorage, default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone
from PIL import Image
from typing_extensions import override

from apps.accounts.models import Membership
from apps.jobs.files import store_upload
from apps.jobs.models import Upload
from apps.jobs.services import erase_unused_uploads

ROUNDS = 100
# As far away as a bucket: what is decided by looking is done some time later.
AWAY_S = 0.01


class FarStorage(FileSystemStorage):
    """A storage with a way to it."""

    @override
    def exists(self, name: str) -> bool:
        found = super().exists(name)
        time.sleep(AWAY_S)
        return found

    @override
    def delete(self, name: str) -> None:
        time.sleep(AWAY_S)
        super().delete(name)


def upload_again_and_again() -> int:
    """How often the file was not there after it had been given."""
    member = Membership.objects.all()[0]
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    lost = 0
    for _ in range(ROUNDS):
        file = SimpleUploadedFile("a.png", picture.getvalue(), "image/png")
        upload = store_upload(workspace_id=member.workspace_id, owner_id=member.user_id, file=file)
        lost += not default_storage.exists(upload.file)
        Upload.objects.filter(pk=upload.pk).update(created_at=timezone.now() - timedelta(days=9))
    return lost


def main() -> None:
    cast(Any, default_storage)._wrapped = FarStorage()
    done = threading.Event()
    erased = []

    def erase() -> None:
        while not done.is_set():
            before = Upload.objects.count()
            erase_unused_uploads()
            erased.append(before)
        connection.close()

    eraser = threading.Thread(target=erase)
    eraser.start()
    lost = upload_again_and_again()
    done.set()
    eraser.join()
    assert any(erased), "nothing was erased meanwhile"
    sys.stdout.write(f"lost {lost}\n")


main()
