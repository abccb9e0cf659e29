"""`python3 -m deploy.local run | setup [run|dev] | npm ARGS`, on the system's Python with nothing installed.

The version check comes before any import of ours: an older Python could not even read the other modules.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  this is the check that says so to the user
    version = ".".join(map(str, sys.version_info[:3]))
    sys.stderr.write(
        f"AIGC Studio needs Python 3.11 or later; {sys.executable} is Python {version}.\n"
        "Install a newer one, then say which: make run PYTHON=python3.11\n"
    )
    sys.exit(1)

from deploy.local.commands import main

sys.exit(main(sys.argv[1:]))
