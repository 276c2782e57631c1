"""What keeps a worker from outliving its parent and from taking all memory."""

import ctypes
import os
import resource
import signal
import sys

_limit_bytes = None
PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """The kernel ends this process when its parent dies, also in the middle of a long prediction. Linux only: elsewhere
    it ends when it next turns to its socket."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        sys.exit(1)  # it died before the kernel knew


def bound_memory(limit_bytes: int | None) -> None:
    """Once the model is loaded it may take as much more as the limit leaves. RLIMIT_DATA turns what is beyond into a
    MemoryError inside the request; the parent beside that watches the memory that is really used."""
    global _limit_bytes
    if limit_bytes is None or not sys.platform.startswith("linux"):
        return
    _limit_bytes = limit_bytes
    page = resource.getpagesize()
    with open("/proc/self/statm", encoding="ascii") as statm:
        resident = int(statm.read().split()[1]) * page
    with open("/proc/self/status", encoding="ascii") as status:
        data = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:"))
    if resident > limit_bytes:
        raise MemoryError(f"the loaded model takes {resident} bytes of {limit_bytes} allowed")
    resource.setrlimit(resource.RLIMIT_DATA, (data + limit_bytes - resident,) * 2)


def described() -> str:
    return "" if _limit_bytes is None else f" (its worker may take {_limit_bytes // 2**20} MiB)"
