"""Keeping Python's garbage collector away from what lives as long as the process."""

from __future__ import annotations

import gc


def spare_long_lived() -> None:
    """Have later collections skip everything that was made until now; call it once, at the end of the start.

    A full collection walks all of Django with the interpreter's lock held: some 100 ms in which no token goes out.
    """
    gc.collect()
    gc.freeze()
