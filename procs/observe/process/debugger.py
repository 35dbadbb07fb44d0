"""gdb on a stage: the only observer that stops it, so it first explains the cost."""

import shutil
import subprocess

from procs.plan import wiring


class NoDebugger(Exception):
    """gdb cannot be used; the message says why."""


def cost(role: str, shared_with: list[str]) -> str:
    """Return the cost of a debugger for the run, for people."""
    stopped = " and ".join([role, *shared_with])
    consequence = (
        "no order is sent and none can be cancelled: open orders stay open at the venue until "
        "you leave"
        if any(wiring.is_gateway(each) for each in (role, *shared_with))
        else "the gateway pulls all quotes when the heartbeat is older than its lease"
    )
    return (
        f"gdb stops {stopped} until you leave it, and {consequence}; the supervisor does not "
        "restart a process under a debugger"
    )


def run(pid: int, thread_id: int) -> int:
    """Run gdb on a process, at its hot thread; return gdb's exit status.

    Raises
    ------
    NoDebugger
        When gdb is not installed.
    """
    gdb = shutil.which("gdb")
    if gdb is None:
        raise NoDebugger("gdb is not installed (Debian: apt install gdb)")
    # gdb takes the names of compiled functions from the list that LLVM keeps for debuggers.
    go_to_hot = (
        "python [thread.switch() for thread in gdb.selected_inferior().threads() "
        f"if thread.ptid[1] == {thread_id}]"
    )
    command = [gdb, "-q", "-p", str(pid), "-iex", "set debuginfod enabled off",
               "-ex", go_to_hot,
               "-ex", "echo \\nThis is the hot thread: `bt` shows where it is, `quit` lets it go "
                      "on.\\n"]  # fmt: skip
    return subprocess.run(command, check=False).returncode
