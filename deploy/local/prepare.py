"""Brings database, catalogue and static files up to date before the processes start. Run by `.venv`'s Python.

One process for all of it: each `manage.py` call would pay Django's start again. What the person should see
at the end (the one-time link) goes to the file named as the argument, not to the log, since it is a secret.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.db.utils import OperationalError

from deploy.local.secret_files import write_private


def prepare() -> str:
    """Do it all; returns what `first_admin` says."""
    django.setup()
    _tell("database")
    call_command("migrate", interactive=False, verbosity=0)
    _tell("catalogue of models")
    call_command("seed_catalog", stdout=io.StringIO())
    _tell("first admin")
    said = io.StringIO()
    call_command("first_admin", stdout=said)
    return said.getvalue()


def _tell(what: str) -> None:
    sys.stderr.write(what + "\n")
    sys.stderr.flush()


def main(notice: Path) -> int:
    """Exit code 1 with a sentence for what a person can mend; a traceback for what only a developer can."""
    try:
        write_private(notice, prepare())
    except (ImproperlyConfigured, CommandError) as error:
        _tell(f"{error}")
        return 1
    except OperationalError as error:
        _tell(
            f"The database cannot be used: {error}\nCheck AIGC_DATABASE_URL and the disk, then start again."
        )
        return 1
    except DatabaseError as error:
        _tell(
            f"The database could not be brought up to date: {error}\nIf it was made by a newer version of "
            "the product, start that version; else restore the last backup."
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
