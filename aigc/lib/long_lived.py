"""At the end of a start: what lives as long as the process is spared the garbage collector, the rest is given back."""

from __future__ import annotations

import ctypes
import gc


def spare_long_lived() -> None:
    """Have later collections skip everything that was made until now; call it once, at the end of the start.

    A full collection walks all of Django with the interpreter's lock held: some 100 ms in which no token goes out.
    What the start itself took, a twelfth of a web process, glibc would keep for later.
    """
    gc.collect()
    gc.freeze()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # other systems' C libraries have none
        libc.malloc_trim(0)
