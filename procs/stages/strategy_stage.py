"""The strategy stage: the top of the book and order events in, requests out.

Events are taken one by one, tops conflate to the newest per instrument; then the user's ``decide``
says what it wants, once per instrument that was touched, and the difference to what stands becomes
requests.
"""

from enum import IntEnum
from typing import Any

import numpy as np

from ipc import cell, control, ring
from ipc.clock import now_ns
from ipc.compiled import compile_entry, compiled
from ipc.counters import add
from ipc.histogram import record_value
from ipc.layout import Field, Layout
from ipc.log import tell
from ipc.memory import address_of, copy_bytes, load_byte, load_word, record_at, store_word
from ipc.plugs import run_plug
from ipc.ring import NEW_EPOCH
from ipc.types import RecordArray
from procs.logs import hot_events
from procs.plan.config import Config, params_of
from procs.plan.launch import Launch
from procs.plan.run_records import MERGE
from procs.stages.base.gathering import GATHERING_FIELDS, mark_touched, merge_of
from procs.stages.base.running import run_alone
from procs.stages.base.stage import (
    DRAIN_FRAME_MAX,
    DRAIN_NS_MAX,
    LOOP,
    Built,
    Stage,
    begin_turn,
    end_turn,
    log_step,
    must_leave,
    rest,
)
from vortex.codes import Kind, Side
from vortex.deciding.contract import VIEW
from vortex.orders import quoting
from vortex.orders.quoting import REQUEST_BYTES, STANDING, WANTED
from vortex.records import (
    MERGE_STAMPS_BYTES,
    ORDER,
    ORDER_EVENT,
    REQUEST,
    STAMPS_OFFSET_BYTES,
    TOP,
    TOP_STAMPS_BYTES,
    TRADE,
)

DECIDER = Layout(
    "decider",
    "What decides on one instrument; addresses in this process.",
    Field("decide_address", "i8", "the strategy's decide"),
    Field("params_address", "i8", "its parameters for the instrument"),
    Field("state_address", "i8", "what it remembers of the instrument"),
    multiple_bytes=8,
)

CONTEXT = Layout(
    "strategy_context",
    "What the strategy's loop works with; addresses in this process.",
    *GATHERING_FIELDS,
    Field("tops_address", "i8", "handle of the tops ring"),
    Field("inputs_address", "i8", "handles' addresses: the tops ring, each account's events ring"),
    Field("outputs_address", "i8", "handles' addresses: each account's requests ring"),
    Field("account_count", "i8", "how many accounts"),
    Field("accounts_address", "i8", "the account of each instrument"),
    Field("steps_address", "i8", "handle of the ring of steps"),
    Field("instrument_count", "i8", "how many instruments"),
    Field("newest_address", "i8", "newest TOP of each instrument"),
    Field("standing_address", "i8", "STANDING table"),
    Field("wanted_address", "i8", "WANTED table"),
    Field("deciders_address", "i8", "a DECIDER for each instrument"),
    Field("view_address", "i8", "VIEW table"),
    Field("quoting_address", "i8", "QUOTING record"),
    Field("order_tables_address", "i8", "addresses: each account's order table, for a reload"),
    Field("order_counts_address", "i8", "how many rows each of them has"),
    Field("row_copy_address", "i8", "where a row of it is copied to"),
    Field("latency_address", "i8", "tick-to-decision histogram"),
    multiple_bytes=8,
)

CONTEXT_DTYPE = CONTEXT.dtype
DECIDER_DTYPE = DECIDER.dtype
DECIDER_BYTES = DECIDER.dtype.itemsize
MERGE_DTYPE = MERGE.dtype
TOP_DTYPE = TOP.dtype
TOP_BYTES = TOP.dtype.itemsize
TRADE_DTYPE = TRADE.dtype
VIEW_DTYPE = VIEW.dtype
VIEW_BYTES = VIEW.dtype.itemsize
WANTED_BYTES = WANTED.dtype.itemsize
STANDING_DTYPE = STANDING.dtype
STANDING_BYTES = STANDING.dtype.itemsize
EVENT_DTYPE = ORDER_EVENT.dtype
REQUEST_DTYPE = REQUEST.dtype
ORDER_DTYPE = ORDER.dtype
ORDER_BYTES = ORDER.dtype.itemsize
RING_DTYPE = ring.RING_DTYPE


class StrategyCounter(IntEnum):
    """What the strategy counts."""

    TOPS = 0  # records of the book taken
    MERGED = 1  # of these, the ones overtaken by a newer one in the same drain
    TRADES = 2
    EVENTS = 3  # order events taken
    DECISIONS = 4
    REQUESTS = 5
    PULLED = 6  # decisions on an invalid book: nothing is wanted
    RELOADS = 7  # the events ring began anew: what stands was read from the order table
    REQUESTS_FULL = 8  # decisions put off for want of room on the requests ring


@compiled
def account_of(context_address: int, instrument_id: int) -> int:
    """Return the account that trades an instrument."""
    context = record_at(context_address, CONTEXT_DTYPE)
    return load_word(context.accounts_address + 8 * instrument_id)


@compiled
def events_of(context_address: int, account_id: int) -> int:
    """Return the handle of the events ring of one account."""
    context = record_at(context_address, CONTEXT_DTYPE)
    return load_word(context.inputs_address + 8 * (1 + account_id))


@compiled
def requests_of(context_address: int, account_id: int) -> int:
    """Return the handle of the requests ring of one account."""
    context = record_at(context_address, CONTEXT_DTYPE)
    return load_word(context.outputs_address + 8 * account_id)


@compiled
def gather_top(context_address: int, record_address: int) -> None:
    """Keep the newest top of an instrument, with the stamps of the oldest not yet decided on."""
    context = record_at(context_address, CONTEXT_DTYPE)
    top = record_at(record_address, TOP_DTYPE)
    instrument_id = top.instrument_id
    mark_touched(context_address, instrument_id)
    copy_bytes(context.newest_address + instrument_id * TOP_BYTES, record_address, TOP_BYTES)
    merge_address = merge_of(context_address, instrument_id)
    merge = record_at(merge_address, MERGE_DTYPE)
    if merge.merged_count == 0:
        copy_bytes(
            merge_address + STAMPS_OFFSET_BYTES,
            record_address + STAMPS_OFFSET_BYTES,
            TOP_STAMPS_BYTES,
        )
        merge.book_publish_ns = top.publish_ns
    else:
        add(context.counters_address, StrategyCounter.MERGED, 1)
        merge.newest_kernel_ns = top.newest_kernel_ns
        merge.merged_count += top.merged_count
        merge.resync_count += top.resync_count
    merge.cause_id = top.cause_id
    add(context.counters_address, StrategyCounter.TOPS, 1)


@compiled
def see_trade(context_address: int, record_address: int) -> None:
    """Let the view know of one trade of the market."""
    context = record_at(context_address, CONTEXT_DTYPE)
    trade = record_at(record_address, TRADE_DTYPE)
    view = record_at(context.view_address + trade.instrument_id * VIEW_BYTES, VIEW_DTYPE)
    view.last_trade_ticks = trade.price_ticks
    if trade.aggressor_side == Side.BUY:
        view.bought_lots += trade.qty_lots
    else:
        view.sold_lots += trade.qty_lots
    add(context.counters_address, StrategyCounter.TRADES, 1)


@compiled
def take_top(context_address: int, now_ns: int) -> int:
    """Take one record of the book: 1 taken, 0 none waits."""
    context = record_at(context_address, CONTEXT_DTYPE)
    waiting_count = ring.ready_count(context.tops_address)
    if waiting_count == 0:
        return 0
    if waiting_count == NEW_EPOCH:
        ring.enter_epoch(context.tops_address)
        if record_at(context.tops_address, RING_DTYPE).epoch > 1:  # nothing to tell at first
            tell(context.log_address, hot_events.BOOK_ANEW, now_ns)
        distrust_tops(context_address)
        return 1
    record_address = ring.slot(context.tops_address, 0)
    if load_byte(record_address) == Kind.TRADE:
        see_trade(context_address, record_address)
    else:
        gather_top(context_address, record_address)
    ring.consume(context.tops_address, 1)
    return 1


@compiled
def distrust_tops(context_address: int) -> None:
    """The book began anew: what it said before is not true any more."""
    context = record_at(context_address, CONTEXT_DTYPE)
    for instrument_id in range(context.instrument_count):
        record_at(context.newest_address + instrument_id * TOP_BYTES, TOP_DTYPE).is_valid = 0
        mark_touched(context_address, instrument_id)


@compiled
def take_event(context_address: int, account_id: int, now_ns: int) -> int:
    """Take one event of an account's gateway: 1 taken, 0 none waits."""
    context = record_at(context_address, CONTEXT_DTYPE)
    events_address = events_of(context_address, account_id)
    waiting_count = ring.ready_count(events_address)
    if waiting_count == 0:
        return 0
    if waiting_count == NEW_EPOCH:
        discarded_count = ring.enter_epoch(events_address)
        if record_at(events_address, RING_DTYPE).epoch > 1:
            tell(context.log_address, hot_events.RELOADED, now_ns, discarded_count)
        reload(context_address, account_id)
        return 1
    record_address = ring.slot(events_address, 0)
    event = record_at(record_address, EVENT_DTYPE)
    instrument_id = event.instrument_id
    standing_address = context.standing_address + instrument_id * STANDING_BYTES
    quoting.on_event(standing_address, context.quoting_address, record_address, now_ns)
    view = record_at(context.view_address + instrument_id * VIEW_BYTES, VIEW_DTYPE)
    view.position_lots = event.position_lots
    mark_touched(context_address, instrument_id)
    if event.kind == Kind.HALTED:
        tell(context.log_address, hot_events.PAUSED, now_ns, instrument_id, event.reason)
    elif event.kind == Kind.RESUMED:
        tell(context.log_address, hot_events.GOES_ON, now_ns, instrument_id)
    add(context.counters_address, StrategyCounter.EVENTS, 1)
    ring.consume(events_address, 1)
    return 1


@compiled
def reload(context_address: int, account_id: int) -> None:
    """Some events of an account are missing: read what stands from its gateway's order table."""
    context = record_at(context_address, CONTEXT_DTYPE)
    add(context.counters_address, StrategyCounter.RELOADS, 1)
    for instrument_id in range(context.instrument_count):
        if account_of(context_address, instrument_id) == account_id:
            quoting.forget_all(context.standing_address + instrument_id * STANDING_BYTES)
            mark_touched(context_address, instrument_id)
    orders_address = load_word(context.order_tables_address + 8 * account_id)
    for row_index in range(load_word(context.order_counts_address + 8 * account_id)):
        row_address = orders_address + row_index * ORDER_BYTES
        if cell.read_cell(row_address, context.row_copy_address, ORDER_BYTES):
            row = record_at(context.row_copy_address, ORDER_DTYPE)
            standing_address = context.standing_address + row.instrument_id * STANDING_BYTES
            quoting.restore(standing_address, context.row_copy_address)


@compiled
def stamp_requests(
    context_address: int, instrument_id: int, requests_address: int, count: int, now_ns: int
) -> None:
    """Write into each request what caused it and how far the inputs were read."""
    context = record_at(context_address, CONTEXT_DTYPE)
    merge_address = merge_of(context_address, instrument_id)
    merge = record_at(merge_address, MERGE_DTYPE)
    account_id = account_of(context_address, instrument_id)
    events = record_at(events_of(context_address, account_id), RING_DTYPE)
    requests = record_at(requests_of(context_address, account_id), RING_DTYPE)
    for index in range(count):
        request_address = requests_address + index * REQUEST_BYTES
        request = record_at(request_address, REQUEST_DTYPE)
        request.epoch = requests.epoch
        request.account_id = account_id
        request.tops_consumed_seq = record_at(context.tops_address, RING_DTYPE).next_seq
        request.events_consumed_seq = events.next_seq
        if merge.merged_count > 0:
            request.cause_id = merge.cause_id
            copy_bytes(
                request_address + STAMPS_OFFSET_BYTES,
                merge_address + STAMPS_OFFSET_BYTES,
                MERGE_STAMPS_BYTES,
            )
        request.strategy_pick_ns = now_ns


@compiled
def clear_merge(context_address: int, instrument_id: int) -> None:
    """Remember the decision for the driver, and begin to gather anew."""
    merge = record_at(merge_of(context_address, instrument_id), MERGE_DTYPE)
    merge.decided_kernel_ns = merge.kernel_ns
    merge.decided_count = merge.merged_count
    merge.is_touched = 0
    merge.kernel_ns = 0
    merge.merged_count = 0
    merge.resync_count = 0


@compiled
def decide_one(context_address: int, instrument_id: int, now_ns: int) -> bool:
    """Ask the strategy about one instrument and request the difference; False without room."""
    context = record_at(context_address, CONTEXT_DTYPE)
    ring_address = requests_of(context_address, account_of(context_address, instrument_id))
    requests_address = ring.claim(ring_address)
    if requests_address == 0:
        add(context.counters_address, StrategyCounter.REQUESTS_FULL, 1)
        tell(context.log_address, hot_events.REQUESTS_FULL, now_ns, instrument_id)
        return False
    wanted_address = context.wanted_address + instrument_id * WANTED_BYTES
    standing_address = context.standing_address + instrument_id * STANDING_BYTES
    top_address = context.newest_address + instrument_id * TOP_BYTES
    view_address = context.view_address + instrument_id * VIEW_BYTES
    record_at(view_address, VIEW_DTYPE).now_ns = now_ns
    quoting.want_nothing(wanted_address)
    if record_at(top_address, TOP_DTYPE).is_valid != 0:
        decider_address = context.deciders_address + instrument_id * DECIDER_BYTES
        decider = record_at(decider_address, DECIDER_DTYPE)
        run_plug(
            decider.decide_address,
            (
                top_address, view_address, decider.params_address, decider.state_address,
                wanted_address,
            ),
        )  # fmt: skip
        add(context.counters_address, StrategyCounter.DECISIONS, 1)
    else:
        add(context.counters_address, StrategyCounter.PULLED, 1)
    count = quoting.difference(
        wanted_address, standing_address, context.quoting_address, instrument_id,
        requests_address, now_ns,
    )  # fmt: skip
    stamp_requests(context_address, instrument_id, requests_address, count, now_ns)
    ring.append(ring_address, count)
    add(context.counters_address, StrategyCounter.REQUESTS, count)
    return True


@compiled
def finish(context_address: int, now_ns: int) -> int:
    """Decide on every instrument that was touched; return how many decisions were made."""
    context = record_at(context_address, CONTEXT_DTYPE)
    total_count = context.touched_count
    kept_count = 0
    for index in range(total_count):
        instrument_id = load_word(context.touched_address + 8 * index)
        if decide_one(context_address, instrument_id, now_ns):
            clear_merge(context_address, instrument_id)
        else:
            store_word(context.touched_address + 8 * kept_count, instrument_id)
            kept_count += 1
    context.touched_count = kept_count
    return total_count - kept_count


@compiled
def drain(context_address: int, now: int) -> int:
    """Take what waits, order events first and all of them; return how many records."""
    context = record_at(context_address, CONTEXT_DTYPE)
    event_count = 0
    for account_id in range(context.account_count):
        while take_event(context_address, account_id, now) > 0:
            event_count += 1
    top_count = 0
    while top_count < DRAIN_FRAME_MAX and take_top(context_address, now) > 0:
        top_count += 1
        if now_ns(context.clock_address) - now > DRAIN_NS_MAX:
            break
    return event_count + top_count


@compiled
def record_decisions(context_address: int, publish_ns: int) -> None:
    """Record tick-to-decision for every frame that the decisions just made stand for.

    While the run still starts, frames wait for their turn longer than they ever do later.
    """
    context = record_at(context_address, CONTEXT_DTYPE)
    is_up = control.must_run(context.command_address)
    for instrument_id in range(context.instrument_count):
        merge = record_at(merge_of(context_address, instrument_id), MERGE_DTYPE)
        if is_up and merge.decided_count > 0 and merge.decided_kernel_ns > 0:
            record_value(
                context.latency_address, publish_ns - merge.decided_kernel_ns, merge.decided_count
            )
        merge.decided_count = 0


@compiled
def tell_step(context_address: int, now: int, publish_ns: int) -> None:
    """Tell observers of one step."""
    context = record_at(context_address, CONTEXT_DTYPE)
    log_step(
        context.steps_address, now, publish_ns, context.inputs_address, 1 + context.account_count,
        context.outputs_address, context.account_count,
    )  # fmt: skip


@compiled
def commit_requests(context_address: int, publish_ns: int) -> None:
    """Make the requests just written visible to the gateway of each account."""
    context = record_at(context_address, CONTEXT_DTYPE)
    for account_id in range(context.account_count):
        ring.commit(requests_of(context_address, account_id), publish_ns)


@compiled
def begin(context_address: int) -> None:
    """Tell observers where the inputs stand when a life begins."""
    now = now_ns(record_at(context_address, CONTEXT_DTYPE).clock_address)
    tell_step(context_address, now, now)


@compiled
def turn(context_address: int) -> int:
    """Come round once: drain, decide and request; return how many records were taken."""
    context = record_at(context_address, CONTEXT_DTYPE)
    now = begin_turn(context_address)
    taken_count = drain(context_address, now)
    if context.touched_count > 0:
        finish(context_address, now)
        publish_ns = now_ns(context.clock_address)
        commit_requests(context_address, publish_ns)
        record_decisions(context_address, publish_ns)
        tell_step(context_address, now, publish_ns)
    return end_turn(context_address, taken_count)


def loop(context_address: int) -> int:
    """Come round until told to leave."""
    context = record_at(context_address, CONTEXT_DTYPE)
    begin(context_address)
    while not must_leave(context.command_address, context.leave_address):
        rest(context_address, turn(context_address))
    return 0


def compile_loop() -> Any:
    """Compile the loop, or read it from the cache."""
    return compile_entry(loop, LOOP)


#: Tables that begin empty with each life of the strategy, and the context's fields for them.
OWN_TABLES = {
    "merges_address": "merge.strategy",
    "newest_address": "newest_tops",
    "standing_address": "standing",
    "wanted_address": "wanted",
}


def begin_views(stage: Stage) -> int:
    """Fill what the strategy may know from the start; return the address of the table."""
    views = stage.own_table("view")
    instruments, limits = stage.table("instruments").records, stage.table("limits").records
    views.records[:] = np.zeros(1, VIEW_DTYPE)
    for name in ("price_ticks_min", "price_ticks_max", "qty_lots_min", "notional_min"):
        views.records[name] = instruments[name]
    views.records["position_lots_max"] = limits["position_lots_max"]
    for account in stage.wiring.accounts:
        held = stage.table(account.named("positions")).records["base_lots"]
        own = list(account.instrument_ids)
        views.records["position_lots"][own] = held[own]
    return views.address


def params_table(config: Config) -> RecordArray:
    """Return the parameters of each symbol's strategy."""
    choices = [config.choice(symbol) for symbol in config.symbols]
    return np.concatenate([config.strategy.params_record(params_of(c)) for c in choices])


def begin_deciders(stage: Stage) -> RecordArray:
    """Plug the strategy in; return its DECIDER for each instrument, which remembers nothing yet."""
    strategy = stage.config.strategy
    params = params_table(stage.config)
    stage.hold(params)
    states = stage.own_table("strategy_state").records
    states[:] = np.zeros(1, strategy.state.dtype)
    deciders = np.zeros(len(params), DECIDER_DTYPE)
    deciders["decide_address"] = stage.plug(strategy.decide, strategy.decide_signature)
    index = np.arange(len(params))
    deciders["params_address"] = address_of(params) + index * params.dtype.itemsize
    deciders["state_address"] = address_of(states) + index * states.dtype.itemsize
    return deciders


def begin_accounts(stage: Stage, context: RecordArray) -> None:
    """Attach to the rings and order tables of every account, and to the tops."""
    accounts = stage.wiring.accounts
    events = [stage.reader(account.named("events")).address for account in accounts]
    context["tops_address"] = stage.reader("tops").address
    requests = [stage.writer(account.named("requests")).address for account in accounts]
    orders = [stage.table(account.named("orders")) for account in accounts]
    context["inputs_address"] = stage.keep_words([int(context["tops_address"][0]), *events])
    context["outputs_address"] = stage.keep_words(requests)
    context["order_tables_address"] = stage.keep_words(table.address for table in orders)
    context["order_counts_address"] = stage.keep_words(len(table.records) for table in orders)
    context["accounts_address"] = stage.keep_words(stage.config.account_ids)
    context["account_count"] = len(accounts)


def build(stage: Stage) -> Built:
    """Attach the strategy to its rings and tables, empty what is its own, and fill its context."""
    count = len(stage.config.symbols)
    context = np.zeros(1, CONTEXT_DTYPE)
    stage.fill_common(context)
    begin_accounts(stage, context)
    context["steps_address"] = stage.writer("steps.strategy").address
    context["instrument_count"] = count
    context["deciders_address"] = stage.keep(begin_deciders(stage))
    for field, table in OWN_TABLES.items():
        own = stage.own_table(table)
        own.records[:] = np.zeros(1, own.layout.dtype)
        context[field] = own.address
    # Until the gateway says RESUMED: what it placed for a former life must be gone first.
    stage.own_table("standing").records["is_halted"] = 1
    context["view_address"] = begin_views(stage)
    context["quoting_address"] = stage.table("quoting").address
    context["row_copy_address"] = stage.keep(np.zeros(1, ORDER_DTYPE))
    context["touched_address"] = stage.keep(np.zeros(count, np.int64))
    context["latency_address"] = stage.own_table("latency.strategy").address
    return Built(stage, address_of(context))


def main(role: str, launch: Launch) -> int:
    """Build the strategy process, run it, and release everything."""
    return run_alone(role, launch, build, compile_loop)
