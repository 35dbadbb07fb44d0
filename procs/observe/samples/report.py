"""The numbers of a run, for people and as JSON."""

from decimal import Decimal
from typing import Any

from ipc.histogram import summary
from procs.observe.samples.view import RunView
from procs.plan import run_records, wiring
from procs.stages import book_stage
from procs.stages.gateway import context
from procs.stages.ingest import ingest_stage
from procs.stages.strategy_inputs import StrategyCounter
from vortex.codes import Refusal, Reject
from vortex.orders.positions import profit_e16

SCHEMA = 1
E8 = Decimal(10) ** 8
E16 = Decimal(10) ** 16


def ingest_sum(view: RunView, index: int) -> int:
    """Return one counter, summed over all ingest processes."""
    return sum(view.counter(role, index) for role in view.wiring.ingest_roles)


def text(value: Decimal) -> str:
    """Return a number as plain text, without exponent or trailing zeros."""
    shown = f"{value:f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def position_text(view: RunView, instrument_id: int) -> str:
    """Return the position of one instrument in base units."""
    instrument = view.records("instruments")[instrument_id]
    lots = int(view.position(instrument_id)["base_lots"])
    return text(Decimal(lots * int(instrument["lot_e8"])) / E8)


def profit(view: RunView) -> Decimal:
    """Return profit in the quote asset over all instruments, marked at mid, after fees.

    While a book is not in sync its mid is not known; the market's last trade replaces it.
    """
    total = 0
    for index, instrument in enumerate(view.records("instruments")):
        touch, position = view.cell("touches", index), view.position(index)
        bid_ticks, ask_ticks = int(touch["bid_ticks"]), int(touch["ask_ticks"])
        if not bid_ticks or not ask_ticks:
            bid_ticks = ask_ticks = int(view.records("view")[index]["last_trade_ticks"])
        total += profit_e16(position, instrument, bid_ticks, ask_ticks)
    return Decimal(total) / E16


def rejects(view: RunView) -> dict[str, int]:
    """Return how many requests were refused, by reason, ours and the venue's."""
    counts = {}
    for reason in Reject:
        count = view.gateway_counter(context.REJECT_BASE + reason)
        if reason != Reject.NONE and count:
            counts[reason.name.lower()] = count
    return counts


def refusals(view: RunView) -> dict[str, int]:
    """Return how many market messages were refused, by reason."""
    counts = {}
    for reason in Refusal:
        count = ingest_sum(view, ingest_stage.REFUSAL_BASE - reason)
        if count:
            counts[reason.name.lower()] = count
    return counts


def dropped(view: RunView) -> int:
    """Return how many records were lost on the way: none in a healthy run."""
    lost_events = view.gateway_counter(context.GatewayCounter.EVENTS_LOST)
    return ingest_sum(view, ingest_stage.IngestCounter.DROPPED) + lost_events


def merged(view: RunView) -> int:
    """Return how many frames were merged into another frame's decision."""
    in_book = view.counter(wiring.BOOK, book_stage.BookCounter.MERGED)
    return in_book + view.counter(wiring.STRATEGY, StrategyCounter.MERGED)


def orders(view: RunView) -> int:
    """Return how many new orders were sent, replacements included."""
    placed = view.gateway_counter(context.GatewayCounter.PLACED)
    return placed + view.gateway_counter(context.GatewayCounter.REPLACED)


def cancels(view: RunView) -> int:
    """Return how many cancels were sent, replacements included."""
    canceled = view.gateway_counter(context.GatewayCounter.CANCELED)
    return canceled + view.gateway_counter(context.GatewayCounter.REPLACED)


def latency(view: RunView, name: str) -> dict[str, int | None]:
    """Return the summary of one of the gateway's histograms."""
    return summary(view.gateway_histogram(name)[0])


def account_facts(view: RunView, role: str) -> dict[str, Any]:
    """Return what the gateway of one account counted and measured."""
    count = {each: view.counter(role, each) for each in context.GatewayCounter}
    replaced = count[context.GatewayCounter.REPLACED]
    return {
        "stage": role,
        "orders": count[context.GatewayCounter.PLACED] + replaced,
        "cancels": count[context.GatewayCounter.CANCELED] + replaced,
        "fills": count[context.GatewayCounter.FILLS],
        "tick_to_order_ns": summary(view.histogram(role, "tick_to_order_ns")[0]),
        "order_round_trip_ns": summary(view.histogram(role, "order_round_trip_ns")[0]),
    }


def make(view: RunView) -> dict[str, Any]:
    """Return the report of the run so far; counts and latencies are those of all accounts."""
    started_ns = min(int(view.status(role)["started_ns"]) for role in view.wiring.roles)
    seconds = (view.now_ns() - started_ns) / 1e9 if started_ns else 0.0
    decision = view.histogram(wiring.STRATEGY, "tick_to_decision_ns")[0]
    return {
        "schema": SCHEMA,
        "seconds": round(seconds, 3),
        "messages": ingest_sum(view, ingest_stage.IngestCounter.MESSAGES),
        "book_updates": view.counter(wiring.BOOK, book_stage.BookCounter.UPDATES),
        "orders": orders(view),
        "cancels": cancels(view),
        "fills": view.gateway_counter(context.GatewayCounter.FILLS),
        "rejects": rejects(view),
        "merged": merged(view),
        "dropped": dropped(view),
        "gaps": view.counter(wiring.BOOK, book_stage.BookCounter.GAPS),
        "invalid_messages": ingest_sum(view, ingest_stage.IngestCounter.INVALID)
        + view.gateway_counter(context.GatewayCounter.INVALID),
        "general_messages": ingest_sum(view, ingest_stage.IngestCounter.GENERAL),
        "refusals": refusals(view),
        "position": {s: position_text(view, i) for i, s in enumerate(view.config.symbols)},
        "pnl": text(profit(view).quantize(Decimal("0.00000001"))),
        "tick_to_order_ns": latency(view, "tick_to_order_ns"),
        "recv_to_order_ns": latency(view, "recv_to_order_ns"),
        "newest_to_order_ns": latency(view, "newest_to_order_ns"),
        "tick_to_decision_ns": summary(decision),
        "order_round_trip_ns": latency(view, "order_round_trip_ns"),
        "hops_ns": {
            hop: {part: latency(view, f"{hop}_{part}_ns") for part in ("wait", "service")}
            for hop in run_records.HOPS
        },
        "accounts": {
            each.settings.name: account_facts(view, each.role) for each in view.wiring.accounts
        },
        "placement": view.placement(),
    }


def microseconds(value_ns: int | None) -> str:
    """Return a duration for people."""
    return "-" if value_ns is None else f"{value_ns / 1000:.1f}"


def lines(report: dict[str, Any]) -> list[str]:
    """Return a report for people."""
    position = ", ".join(f"{symbol} {held}" for symbol, held in report["position"].items())
    refused = ", ".join(f"{n} {reason}" for reason, n in report["rejects"].items()) or "none"
    rows = [
        f"{report['seconds']:.1f} s, {report['messages']} messages, "
        f"{report['book_updates']} book updates, {report['merged']} merged, "
        f"{report['gaps']} gaps, {report['dropped']} dropped, "
        f"{report['invalid_messages']} invalid",
        f"{report['orders']} orders, {report['cancels']} cancels, {report['fills']} fills; "
        f"rejects: {refused}",
        f"position: {position}; profit {report['pnl']} (marked at mid, after fees)",
        "",
        f"{'microseconds':<22}{'count':>9}{'p50':>9}{'p90':>9}{'p99':>9}{'p99.9':>9}{'max':>10}",
    ]
    tables = [(name.removesuffix("_ns").replace("_", "-"), report[name])
              for name in report if name.endswith("_ns") and name != "hops_ns"]  # fmt: skip
    for hop, parts in report["hops_ns"].items():
        tables += [(f"  {hop} {part}", values) for part, values in parts.items()]
    for name, values in tables:
        cells = [microseconds(values[p]) for p in ("p50", "p90", "p99", "p99_9")]
        row = "".join(f"{cell:>9}" for cell in cells)
        rows.append(f"{name:<22}{values['count']:>9}{row}{microseconds(values['max']):>10}")
    return rows
