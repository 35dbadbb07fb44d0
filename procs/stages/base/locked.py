"""Pages that stay where they are.

Kernels take pages back that nobody touched for a while, also without any want of memory; who needs
one of them later waits for it.  What a stage has touched once stays in memory, and no secret gets
into a swap file.  *Source:* mlockall(2).
"""

import ctypes
import os

_CURRENT, _FUTURE, _ON_FAULT = 1, 2, 4


def lock_memory() -> str:
    """Keep every page of this process that is or will be used; return why it cannot be, or ""."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.mlockall(_CURRENT | _FUTURE | _ON_FAULT) == 0:
        return ""
    reason = os.strerror(ctypes.get_errno())
    return f"memory is not locked ({reason}): give this user memlock (see `vortexctl doctor`)"
