"""Keeping Python's garbage collector away from what lives as long as the process.

The model libraries bring hundreds of thousands of objects. A full collection walks all of them with the interpreter's
lock held: 200 to 500 ms in which no token leaves the worker.
"""

from __future__ import annotations

import ctypes
import gc


def spare_long_lived() -> None:
    """Collect what is garbage now and have later collections skip what is left (`gc.freeze`).

    Call it after a load, whose objects stay, and after an unload, whose objects may hang together in cycles that a
    frozen heap would never give back.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # what loading took and gave back, glibc would keep
        libc.malloc_trim(0)
