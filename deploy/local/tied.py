"""Runs a program whose life is tied to its parent's: `python -I -S tied.py PID_FILE AFTER COMMAND...`.

- The supervisor's children get a SIGTERM when the supervisor itself is killed, so a crash of it never leaves
  workers behind that hold the port and the data.
- PID_FILE keeps the process id and stays locked as long as the program lives, so that who asks cannot mistake
  another process with the same id for it, and a second one waits for the first to end.
- AFTER names a file that must exist before the program starts, such as the mark that the database is up to
  date; `-` waits for nothing.
- A program that ended within moments of its start waits a second before it starts again, so that one that
  cannot start does not eat the machine.

This file is run by its path, without site-packages, since it runs before every process: it imports nothing of
ours.
"""

import ctypes
import fcntl
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1  # linux/prctl.h
QUICK_END_S = 3.0
PAUSE_S = 1.0
POLL_S = 0.05


def main(pid_file: str, after: str, command: list[str]) -> None:
    """Become the command; never returns."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the kernel knew of the tie
            sys.exit(1)
    descriptor = os.open(pid_file, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    while after != "-" and not os.path.exists(after):
        time.sleep(POLL_S)
    status = os.fstat(descriptor)
    if status.st_size and time.time() - status.st_mtime < QUICK_END_S:
        time.sleep(PAUSE_S)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    os.set_inheritable(descriptor, True)  # the program must keep the lock
    os.execvp(command[0], command)  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
