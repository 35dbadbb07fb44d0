"""Progress reports to ``vortexctl start`` and to systemd."""

import os
import socket
import sys


def say(line: str) -> None:
    """Print one line for ``vortexctl start``, if it still reads."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def notify_systemd(text: str) -> None:
    """Notify the service manager, if there is one.  *Source:* sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.sendto(text.encode(), address.replace("@", "\0", 1))
