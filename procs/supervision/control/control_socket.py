"""Commands to a running supervisor: one request and one answer over a Unix socket.

Only the socket's owner may use it, by file mode and by the peer's credentials.
"""

import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from procs.plan.instance import runtime_folder

ANSWER_S = 90.0
MESSAGE_BYTES_MAX = 1 << 16
_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid


class StopRun(msgspec.Struct, tag="stop"):
    """End the whole run."""


class StartStage(msgspec.Struct, tag="start_stage"):
    """Start a stage that was stopped, or that died too often."""

    stage: str


class StopStage(msgspec.Struct, tag="stop_stage"):
    """End a stage and do not start it again; the gateway keeps all quotes pulled."""

    stage: str


class RestartStage(msgspec.Struct, tag="restart_stage"):
    """End a stage and start it again."""

    stage: str


class LendStage(msgspec.Struct, tag="lend_stage"):
    """Pull all quotes, end a stage, and lend it to process ``pid`` until that process ends.

    With ``halts`` nothing is traded during the loan.
    """

    stage: str
    pid: int
    halts: bool


class ListStages(msgspec.Struct, tag="stages"):
    """Return the state of each stage."""


Command = StopRun | StartStage | StopStage | RestartStage | LendStage | ListStages


class Supervised(msgspec.Struct):
    """The supervisor's state of one stage."""

    pid: int
    phase: str  # up, stopping, stopped, lent, back-off, given up
    restart_count: int
    last_status: int | None


class CommandAnswer(msgspec.Struct, omit_defaults=True):
    """The result of a command: ``error`` is empty on success."""

    schema: Annotated[int, Meta(ge=1)] = 1
    error: str = ""
    stages: dict[str, Supervised] = {}


class NoAnswer(Exception):
    """No supervisor answered on the socket."""


def socket_path(instance: str) -> Path:
    """Return the path of the socket of an instance's supervisor."""
    return runtime_folder() / f"{instance}.sock"


def ask(instance: str, command: Command) -> CommandAnswer:
    """Send one command to an instance's supervisor; return its answer.

    Raises
    ------
    NoAnswer
        When no supervisor listens, or the answer does not arrive in time.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(ANSWER_S)
        try:
            connection.connect(str(socket_path(instance)))
            connection.send(msgspec.json.encode(command))
            data = connection.recv(MESSAGE_BYTES_MAX)
        except OSError as error:
            raise NoAnswer(f"instance {instance!r} does not answer: {error}") from error
    if not data:
        raise NoAnswer(f"instance {instance!r} ended before it answered")
    return msgspec.json.decode(data, type=CommandAnswer)


class Caller:
    """One connection of a command, until its answer is sent."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def answer(self, answer: CommandAnswer) -> None:
        """Send the answer and close."""
        try:
            self.connection.send(msgspec.json.encode(answer))
        except OSError:
            pass  # the caller is gone
        finally:
            self.connection.close()


class ControlSocket:
    """The supervisor's end; ``close`` removes it."""

    def __init__(self, instance: str) -> None:
        self.path = socket_path(instance)
        self.path.unlink(
            missing_ok=True
        )  # we hold the instance's lock: no other supervisor listens there
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        former_mask = os.umask(0o177)
        try:
            self.socket.bind(str(self.path))
        finally:
            os.umask(former_mask)
        self.socket.listen(8)

    def fileno(self) -> int:
        """The descriptor that becomes readable when a command connects."""
        return self.socket.fileno()

    def accept(self, take: Callable[[Command, Caller], None]) -> None:
        """Read one command of one caller; ``take`` answers it, immediately or later."""
        connection, _ = self.socket.accept()
        connection.settimeout(1.0)
        caller = Caller(connection)
        credentials = connection.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
        )
        _, uid, _ = _CREDENTIALS.unpack(credentials)
        if uid not in (os.getuid(), 0):
            caller.answer(CommandAnswer(error="only the owner of the instance may command it"))
            return
        try:
            command: Command = msgspec.json.decode(connection.recv(MESSAGE_BYTES_MAX), type=Command)
        except (OSError, msgspec.DecodeError) as error:
            caller.answer(CommandAnswer(error=f"not a command: {error}"))
            return
        take(command, caller)

    def close(self) -> None:
        """Close and remove the socket."""
        self.socket.close()
        self.path.unlink(missing_ok=True)
