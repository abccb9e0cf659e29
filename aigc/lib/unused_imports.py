"""Imported first by the web process: what it never uses is not loaded, though it is installed for others.

REST framework, structlog and Django import these libraries wherever they find them, for a browsable API, coloured
tracebacks and test clients that the web process does not have: 10 of its 135 MB.
"""

from __future__ import annotations

import sys

for _library in ("jinja2", "markdown", "requests", "rich"):
    # Python's own way to say that there is no such module: https://docs.python.org/3/reference/import.html
    sys.modules.setdefault(_library, None)  # type: ignore[arg-type]  # typeshed leaves the None out
