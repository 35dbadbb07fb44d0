"""Who hears how the supervisor fares: the command that started it, and the service manager."""

import os
import socket
import sys


def say(line: str) -> None:
    """Print one line for ``vortexctl start``, if it still listens."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def notify_systemd(text: str) -> None:
    """Tell the service manager, if there is one.  *Source:* sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.sendto(text.encode(), address.replace("@", "\0", 1))
