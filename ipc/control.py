"""The command page and the status page of one stage.

Two pages with two writers: the supervisor writes COMMAND, the stage writes STATUS.
"""

from enum import IntEnum

from ipc.atomics import load_acquire, load_relaxed, store_relaxed, store_release
from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved

COMMAND = Layout(
    "command",
    "The supervisor's orders to one stage; one record per stage.",
    Field("order", "i8", "control.Order"),
    Field("pull", "i8", "1: cancel every open order and place no new one"),
    Field("issued_ns", "i8", "when it was last changed"),
    reserved(40),
)

STATUS = Layout(
    "status",
    "The state of one stage, written by the stage itself.",
    Field("state", "i8", "control.State"),
    Field("heartbeat_ns", "i8", "when the last iteration of the loop ended"),
    Field("loop_count", "i8", "iterations so far"),
    Field("work_count", "i8", "items of work done so far"),
    Field("epoch", "i8", "life of the stage: one more at each start"),
    Field("pid", "i8", "its process"),
    Field("thread_id", "i8", "thread id of its hot thread"),
    Field("cpu_index", "i8", "the CPU that the hot thread is pinned to"),
    Field("wait_mode", "i8", "waiting.Wait"),
    Field("is_flat", "i8", "gateway: 1 when a pull is requested and no order of ours is open"),
    Field("started_ns", "i8", "when the hot thread began"),
    Field("stall_count", "i8", "STALL records that its loop meter published; see ipc/meter.py"),
    Field("lost_ns", "i8", "time in these stalls in which its CPU did something else"),
    Field("away_count", "i8", "of these stalls, those in which this loop alone did not run"),
    reserved(16),
)

ORDER_BYTES = COMMAND.offset_bytes("order")
PULL_BYTES = COMMAND.offset_bytes("pull")
STATE_BYTES = STATUS.offset_bytes("state")
HEARTBEAT_BYTES = STATUS.offset_bytes("heartbeat_ns")
LOOP_BYTES = STATUS.offset_bytes("loop_count")
WORK_BYTES = STATUS.offset_bytes("work_count")
FLAT_BYTES = STATUS.offset_bytes("is_flat")
STALLS_BYTES = STATUS.offset_bytes("stall_count")
LOST_BYTES = STATUS.offset_bytes("lost_ns")
AWAY_BYTES = STATUS.offset_bytes("away_count")


class StageOrder(IntEnum):
    """The order to a stage."""

    SETTLE = 0  # run, but leave the CPU to stages that are still starting
    RUN = 1
    STOP = 2


class State(IntEnum):
    """The phase of a stage's life."""

    ABSENT = 0
    STARTING = 1
    RUNNING = 2  # the loop runs, but something it needs from outside is not there yet
    READY = 3
    STOPPED = 4
    FAILED = 5


@compiled
def must_stop(command_address: int) -> bool:
    """Return whether the supervisor ordered the stage to end."""
    # pairs with: command given
    return load_acquire(command_address + ORDER_BYTES) == StageOrder.STOP


@compiled
def must_run(command_address: int) -> bool:
    """Return whether the whole run is up: the loop may then use its CPU fully."""
    # pairs with: command given
    return load_acquire(command_address + ORDER_BYTES) == StageOrder.RUN


@compiled
def must_pull(command_address: int) -> bool:
    """Return whether the supervisor ordered a pull: cancel every open order, place none."""
    # pairs with: command given
    return load_acquire(command_address + PULL_BYTES) != 0


@compiled
def give_order(command_address: int, order: int) -> None:
    """Supervisor: give the stage an order."""
    # pairs with: command given
    store_release(command_address + ORDER_BYTES, order)


@compiled
def give_pull(command_address: int, pull: int) -> None:
    """Supervisor: order a pull (1), or end it (0)."""
    # pairs with: command given
    store_release(command_address + PULL_BYTES, pull)


@compiled
def beat(status_address: int, now_ns: int, done_count: int) -> None:
    """Stage: record that an iteration of the loop ended, and how much it did."""
    store_relaxed(status_address + LOOP_BYTES, load_relaxed(status_address + LOOP_BYTES) + 1)
    if done_count > 0:
        work_address = status_address + WORK_BYTES
        store_relaxed(work_address, load_relaxed(work_address) + done_count)
    # pairs with: heartbeat
    store_release(status_address + HEARTBEAT_BYTES, now_ns)


@compiled
def heartbeat_ns(status_address: int) -> int:
    """Return when the last iteration of the stage's loop ended."""
    # pairs with: heartbeat
    return load_acquire(status_address + HEARTBEAT_BYTES)


@compiled
def set_state(status_address: int, state: int) -> None:
    """Stage: set the phase of its life."""
    # pairs with: state of a stage
    store_release(status_address + STATE_BYTES, state)


@compiled
def get_state(status_address: int) -> int:
    """Return the phase of a stage's life."""
    # pairs with: state of a stage
    return load_acquire(status_address + STATE_BYTES)
