"""The strategy stage: tops, trades and order events in, requests out.

At the end of a drain the ``decide`` of each instrument that was touched says which quotes it wants,
and the difference to what is open becomes requests.

An instrument is touched by a top, a trade or an order event of its own, by a top of an instrument
that it leans on, and by its timer (``wanted.wake_ns``).  Timers are looked at with the time that a
step is given, so a replay wakes where the run did.
"""

from typing import Any

import numpy as np

from ipc import control, ring
from ipc.clock import now_ns
from ipc.compiled import compile_entry, compiled
from ipc.counters import add
from ipc.histogram import record_value
from ipc.layout import Field, Layout
from ipc.log import log_event
from ipc.memory import address_of, copy_bytes, load_word, record_at, store_word
from ipc.plugs import run_plug
from ipc.types import Record, RecordArray
from procs.logs import hot_events
from procs.plan.launch import Launch
from procs.plan.run_records import MERGE
from procs.plan.wiring import strategy_state
from procs.stages.base.gathering import MERGE_BYTES, mark_touched, merge_of
from procs.stages.base.running import run_alone
from procs.stages.base.stage import (
    DRAIN_FRAME_MAX,
    DRAIN_NS_MAX,
    LOOP,
    Built,
    Stage,
    begin_turn,
    end_intake,
    end_turn,
    log_step,
    must_leave,
    rest,
)
from procs.stages.strategy_inputs import (
    CONTEXT_DTYPE,
    ORDER_DTYPE,
    RING_DTYPE,
    TOP_BYTES,
    StrategyCounter,
    account_of,
    events_of,
    requests_of,
    standing_of,
    take_event,
    take_market,
    top_of,
    view_of,
    wanted_of,
)
from vortex.deciding import sight_writers
from vortex.deciding.sight import SIGHT, VIEW_BYTES
from vortex.orders import quoting
from vortex.orders.quoting import QUOTING_DTYPE, REQUEST_BYTES, REQUEST_DTYPE, WANTED_BYTES
from vortex.records import MERGE_STAMPS_BYTES, STAMPS_OFFSET_BYTES

DECIDER = Layout(
    "decider",
    "What decides on one instrument; addresses in this process.",
    Field("decide_address", "i8", "the strategy's decide"),
    Field("params_address", "i8", "its parameters for the instrument"),
    Field("state_address", "i8", "what it remembers of the instrument"),
    multiple_bytes=8,
)

DECIDER_DTYPE = DECIDER.dtype
DECIDER_BYTES = DECIDER.dtype.itemsize
MERGE_DTYPE = MERGE.dtype


@compiled
def set_timer(context: Record, wake_ns: int) -> None:
    """Look at the timers at ``wake_ns`` at the latest; 0 sets none."""
    if wake_ns != 0 and (context.next_wake_ns == 0 or wake_ns < context.next_wake_ns):
        context.next_wake_ns = wake_ns


@compiled
def wake_due(context: Record, now_ns: int) -> None:
    """Have every instrument decided whose timer is due."""
    context.next_wake_ns = 0
    for instrument_id in range(context.instrument_count):
        wanted = wanted_of(context, instrument_id)
        if 0 < wanted.wake_ns <= now_ns:
            wanted.wake_ns = 0
            mark_touched(context, instrument_id)
            add(context.counters_address, StrategyCounter.WAKES, 1)
        set_timer(context, wanted.wake_ns)


@compiled
def stamp_requests(
    context: Record, instrument_id: int, requests_address: int, count: int, now_ns: int
) -> None:
    """Write into each request what caused it and how far the inputs were read."""
    merge_address = context.merges_address + instrument_id * MERGE_BYTES
    merge = record_at(merge_address, MERGE_DTYPE)
    account_id = account_of(context, instrument_id)
    events = record_at(events_of(context, account_id), RING_DTYPE)
    requests = record_at(requests_of(context, account_id), RING_DTYPE)
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
def clear_merge(context: Record, instrument_id: int) -> None:
    """Keep the decision's stamp for the driver, and gather from nothing."""
    merge = merge_of(context, instrument_id)
    merge.decided_kernel_ns = merge.kernel_ns
    merge.decided_count = merge.merged_count
    merge.is_touched = 0
    merge.top_count = 0
    merge.kernel_ns = 0
    merge.merged_count = 0
    merge.resync_count = 0


@compiled
def ask_strategy(context: Record, instrument_id: int, now_ns: int) -> None:
    """Have the strategy fill WANTED; while the book is invalid it wants nothing."""
    wanted_address = context.wanted_address + instrument_id * WANTED_BYTES
    quoting.want_nothing(wanted_address)
    if top_of(context, instrument_id).is_valid == 0:
        add(context.counters_address, StrategyCounter.PULLED, 1)
        return
    view = view_of(context, instrument_id)
    view.now_ns = now_ns
    decider_address = context.deciders_address + instrument_id * DECIDER_BYTES
    decider = record_at(decider_address, DECIDER_DTYPE)
    run_plug(
        decider.decide_address,
        (
            context.newest_address + instrument_id * TOP_BYTES,
            context.view_address + instrument_id * VIEW_BYTES,
            decider.params_address, decider.state_address, wanted_address,
        ),
    )  # fmt: skip
    view.new_trade_count = 0
    set_timer(context, wanted_of(context, instrument_id).wake_ns)
    add(context.counters_address, StrategyCounter.DECISIONS, 1)


@compiled
def decide_one(context: Record, instrument_id: int, now_ns: int) -> bool:
    """Ask the strategy about one instrument and request the difference; False without room."""
    ring_address = requests_of(context, account_of(context, instrument_id))
    requests_address = ring.claim(ring_address)
    if requests_address == 0:
        add(context.counters_address, StrategyCounter.REQUESTS_FULL, 1)
        log_event(context.log_address, hot_events.REQUESTS_FULL, now_ns, instrument_id)
        return False
    ask_strategy(context, instrument_id, now_ns)
    standing = standing_of(context, instrument_id)
    rules = record_at(context.quoting_address, QUOTING_DTYPE)
    count = quoting.difference(
        wanted_of(context, instrument_id), standing, rules, instrument_id, requests_address, now_ns
    )
    if count > 0:
        sight_writers.estimate_queues(
            view_of(context, instrument_id), top_of(context, instrument_id), standing,
            requests_address, count,
        )  # fmt: skip
        stamp_requests(context, instrument_id, requests_address, count, now_ns)
    ring.append(ring_address, count)
    add(context.counters_address, StrategyCounter.REQUESTS, count)
    return True


@compiled
def finish(context: Record, now_ns: int) -> int:
    """Decide on every instrument that was touched; return how many decisions were made."""
    total_count = context.touched_count
    kept_count = 0
    for index in range(total_count):
        instrument_id = load_word(context.touched_address + 8 * index)
        if decide_one(context, instrument_id, now_ns):
            clear_merge(context, instrument_id)
        else:
            store_word(context.touched_address + 8 * kept_count, instrument_id)
            kept_count += 1
    context.touched_count = kept_count
    return total_count - kept_count


@compiled
def drain(context: Record, begin_ns: int) -> int:
    """Take what waits, order events first and all of them; return how many messages.

    Timers that are due at ``begin_ns`` touch their instruments and count for nothing.
    """
    if context.next_wake_ns != 0 and begin_ns >= context.next_wake_ns:
        wake_due(context, begin_ns)
    event_count = 0
    for account_id in range(context.account_count):
        while take_event(context, account_id, begin_ns) > 0:
            event_count += 1
    market_count = 0
    while market_count < DRAIN_FRAME_MAX and take_market(context, begin_ns) > 0:
        market_count += 1
        if now_ns(context.clock_address) - begin_ns > DRAIN_NS_MAX:
            break
    return event_count + market_count


@compiled
def record_decisions(context: Record, publish_ns: int) -> None:
    """Record tick-to-decision for every frame behind the decisions just made.

    While the run still starts, frames wait longer than they ever do later.
    """
    is_up = control.must_run(context.command_address)
    for instrument_id in range(context.instrument_count):
        merge = merge_of(context, instrument_id)
        if is_up and merge.decided_count > 0 and merge.decided_kernel_ns > 0:
            record_value(
                context.latency_address, publish_ns - merge.decided_kernel_ns, merge.decided_count
            )
        merge.decided_count = 0


@compiled
def commit_requests(context: Record, publish_ns: int) -> None:
    """Make the requests just written visible to the gateway of each account."""
    for account_id in range(context.account_count):
        ring.commit(requests_of(context, account_id), publish_ns)


@compiled
def begin(context_address: int) -> None:
    """Publish where the inputs are when a life begins."""
    begin_ns = now_ns(record_at(context_address, CONTEXT_DTYPE).clock_address)
    log_step(context_address, begin_ns, begin_ns, 0)
    end_intake(context_address)


@compiled
def turn(context_address: int) -> int:
    """Make one iteration: drain, decide and request; return how many records were taken."""
    context = record_at(context_address, CONTEXT_DTYPE)
    begin_ns = begin_turn(context_address)
    taken_count = drain(context, begin_ns)
    if context.touched_count > 0:
        finish(context, begin_ns)
        publish_ns = now_ns(context.clock_address)
        commit_requests(context, publish_ns)
        record_decisions(context, publish_ns)
        log_step(context_address, begin_ns, publish_ns, 0)
    return end_turn(context_address, taken_count)


def loop(context_address: int) -> int:
    """Iterate until the stage is to leave."""
    context = record_at(context_address, CONTEXT_DTYPE)
    begin(context_address)
    while not must_leave(context.command_address, context.leave_address):
        rest(context, turn(context_address))
    return 0


def compile_loop() -> Any:
    """Compile the loop, or read it from the cache."""
    return compile_entry(loop, LOOP)


def resume(stage: Stage, context: RecordArray) -> None:
    """Write this process's addresses into the views, and set the timers of WANTED.

    The tables may be copies of those of another process.
    """
    stage.own_table("view").records["sight_address"] = context["sight_address"]
    wake_ns = stage.own_table("wanted").records["wake_ns"]
    timers = wake_ns[wake_ns > 0]
    context["next_wake_ns"] = timers.min() if len(timers) else 0


#: Tables that begin empty with each life of the strategy, and the context's fields for them.
OWN_TABLES = {
    "merges_address": "merge.strategy",
    "newest_address": "newest_tops",
    "standing_address": "standing",
    "wanted_address": "wanted",
    "view_address": "view",
}


def begin_views(stage: Stage, context: RecordArray) -> None:
    """Fill what the strategy may know from the start, and the SIGHT of this process."""
    views = stage.own_table("view").records
    instruments, limits = stage.table("instruments").records, stage.table("limits").records
    views["instrument_id"] = np.arange(len(views))
    views["orders_left_count"] = -1
    for name in ("tick_e8", "lot_e8", "price_ticks_min", "price_ticks_max", "qty_lots_min",
                 "notional_min"):  # fmt: skip
        views[name] = instruments[name]
    views["position_lots_max"] = limits["position_lots_max"]
    for account in stage.wiring.accounts:
        held = stage.table(account.named("positions")).records["base_lots"]
        own = list(account.instrument_ids)
        views["position_lots"][own] = held[own]
    levels, trades = stage.own_table("seen_levels"), stage.own_table("seen_trades")
    sight = np.zeros(1, SIGHT.dtype)
    sight["tops_address"] = context["newest_address"]
    sight["views_address"] = context["view_address"]
    sight["standing_address"] = context["standing_address"]
    sight["levels_address"] = levels.address
    sight["trades_address"] = trades.address
    sight["instrument_count"] = len(views)
    sight["level_row_count"] = stage.config.books.shown_levels
    context["sight_address"] = stage.keep(sight)


def begin_leaners(stage: Stage, context: RecordArray) -> None:
    """Note for each instrument which others lean on it."""
    config = stage.config
    leaders = [config.leaders(instrument_id) for instrument_id in range(len(config.symbols))]
    of_each = [
        [leaner for leaner, led_by in enumerate(leaders) if leader in led_by]
        for leader in range(len(leaders))
    ]
    ends = np.cumsum([len(leaners) for leaners in of_each], dtype=np.int64)
    flat = [leaner for leaners in of_each for leaner in leaners]
    context["leaner_ends_address"] = stage.keep(ends)
    context["leaners_address"] = stage.keep(np.array([*flat, 0], np.int64))


def begin_deciders(stage: Stage, context: RecordArray) -> None:
    """Plug each strategy in; note the DECIDER of each instrument, which remembers nothing yet."""
    config = stage.config
    deciders = np.zeros(len(config.symbols), DECIDER.dtype)
    for number, source in enumerate(config.strategy_sources):
        strategy = config.strategy(source)
        decide_address = stage.plug(strategy.decide, strategy.decide_signature)
        states = stage.own_table(strategy_state(number))
        states.records[:] = np.zeros(1, strategy.state.dtype)
        for instrument_id in config.instruments_of(source):
            decider = deciders[instrument_id]
            decider["decide_address"] = decide_address
            decider["params_address"] = stage.keep(config.params_record(instrument_id))
            decider["state_address"] = states.record_address(instrument_id)
    context["deciders_address"] = stage.keep(deciders)


def begin_accounts(stage: Stage, context: RecordArray) -> None:
    """Attach to the rings and order tables of every account, and to the tops."""
    accounts = stage.wiring.accounts
    events = [stage.reader(account.named("events")).address for account in accounts]
    context["tops_address"] = stage.reader("tops").address
    names = [account.named("requests") for account in accounts]
    requests = {name: stage.writer(name).address for name in names}
    orders = [stage.table(account.named("orders")) for account in accounts]
    # The tops, then each account's events; each account's requests.
    stage.fill_steps(context, [int(context["tops_address"][0]), *events], requests)
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
    context["instrument_count"] = count
    for field, table in OWN_TABLES.items():
        own = stage.own_table(table)
        own.records[:] = np.zeros(1, own.layout.dtype)
        context[field] = own.address
    # Until the gateway says RESUMED: the orders of a former life are cancelled first.
    stage.own_table("standing").records["is_halted"] = 1
    begin_views(stage, context)
    begin_leaners(stage, context)
    begin_deciders(stage, context)
    context["quoting_address"] = stage.table("quoting").address
    context["row_copy_address"] = stage.keep(np.zeros(1, ORDER_DTYPE))
    context["touched_address"] = stage.keep(np.zeros(count, np.int64))
    context["latency_address"] = stage.own_table("latency.strategy").address
    resume(stage, context)
    return Built(stage, address_of(context), resume=lambda: resume(stage, context))


def main(role: str, launch: Launch) -> int:
    """Build the strategy process, run it, and release everything."""
    return run_alone(role, launch, build, compile_loop)
