"""Several stages in one process: one hot thread takes their turns in the order of a tick.

The same functions over the same rings and tables as in processes of their own, each with its state,
its heartbeat and its lock.  What is saved is the hop between two processes; what is lost is that
one stage's end is not the others'.  One compiled loop serves every group: a stage that runs
elsewhere has no context here.
"""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from types import ModuleType
from typing import Any

import numpy as np

from ipc.compiled import compile_entry, compiled
from ipc.layout import Field, Layout
from ipc.memory import address_of, record_at
from ipc.types import Record, RecordArray
from ipc.waiting import idle
from procs.plan import wiring
from procs.plan.launch import Launch
from procs.stages import book_stage, strategy_stage
from procs.stages.base import running
from procs.stages.base.stage import COMMON_DTYPE, LOOP, Built, Stage, must_leave
from procs.stages.gateway import gateway_stage
from procs.stages.ingest import ingest_stage

CONTEXT = Layout(
    "joint_context",
    "Where the contexts of the stages of a group are; 0 for a stage that runs elsewhere.",
    Field("ingest_address", "i8", "ingest's context"),
    Field("book_address", "i8", "the book's context"),
    Field("strategy_address", "i8", "the strategy's context"),
    Field("gateway_address", "i8", "the gateway's context"),
    Field("any_address", "i8", "context of one that is here: all of them wait in the same way"),
    multiple_bytes=8,
)

CONTEXT_DTYPE = CONTEXT.dtype


@compiled
def is_ordered_to_leave(member_address: int) -> bool:
    """Return whether a stage that is here was ordered to leave."""
    if member_address == 0:
        return False
    member = record_at(member_address, COMMON_DTYPE)
    return must_leave(member.command_address, member.leave_address)


@compiled
def must_end(context: Record) -> bool:
    """Return whether any stage of the group must leave; none goes on without the others."""
    return (
        is_ordered_to_leave(context.ingest_address)
        or is_ordered_to_leave(context.book_address)
        or is_ordered_to_leave(context.strategy_address)
        or is_ordered_to_leave(context.gateway_address)
    )


@compiled
def begin(context: Record) -> None:
    """Begin the life of each stage."""
    if context.ingest_address != 0:
        ingest_stage.begin(context.ingest_address)
    if context.book_address != 0:
        book_stage.begin(context.book_address)
    if context.strategy_address != 0:
        strategy_stage.begin(context.strategy_address)
    if context.gateway_address != 0:
        gateway_stage.begin(context.gateway_address)


@compiled
def turn(context: Record) -> int:
    """Make one iteration: what one stage passes on, the next takes in the same iteration."""
    done_count = 0
    if context.ingest_address != 0:
        done_count += ingest_stage.turn(context.ingest_address)
    if context.book_address != 0:
        done_count += book_stage.turn(context.book_address)
    if context.strategy_address != 0:
        done_count += strategy_stage.turn(context.strategy_address)
    if context.gateway_address != 0:
        done_count += gateway_stage.turn(context.gateway_address)
    return done_count


def loop(context_address: int) -> int:
    """Iterate until ordered to leave."""
    context = record_at(context_address, CONTEXT_DTYPE)
    member = record_at(context.any_address, COMMON_DTYPE)
    begin(context)
    while not must_end(context):
        idle(member.wait, turn(context))
    return 0


def compile_loop() -> Any:
    """Compile the loop, or read it from the cache."""
    return compile_entry(loop, LOOP)


def stage_module(role: str) -> ModuleType:
    """Return the module of one stage."""
    modules = {
        "ingest": ingest_stage,
        wiring.BOOK: book_stage,
        wiring.STRATEGY: strategy_stage,
        wiring.GATEWAY: gateway_stage,
    }
    return modules[wiring.kind_of(role)]


def fill(context: RecordArray, built: dict[str, Built]) -> None:
    """Fill a group's context with those of its stages."""
    addresses = {stage_module(role): each.context_address for role, each in built.items()}
    context["ingest_address"] = addresses.get(ingest_stage, 0)
    context["book_address"] = addresses.get(book_stage, 0)
    context["strategy_address"] = addresses.get(strategy_stage, 0)
    context["gateway_address"] = addresses.get(gateway_stage, 0)
    context["any_address"] = next(iter(addresses.values()))


def main(roles: Sequence[str], launch: Launch) -> int:
    """Build the stages of a group in this process, run them, and release everything."""
    built: dict[str, Built] = {}
    with ExitStack() as stack:
        for role in reversed(roles):  # readers before writers
            module = stage_module(role)
            stage = stack.enter_context(closing(Stage(role, launch)))
            built[role] = module.build(stage)
        context = np.zeros(1, CONTEXT_DTYPE)
        fill(context, built)
        return running.run([built[role] for role in roles], compile_loop(), address_of(context))
