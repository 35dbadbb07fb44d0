"""The content of each page at this moment, as plain objects for JSON."""

from typing import Any

from procs.dashboard.contents.orders_page import whole_orders
from procs.dashboard.run_watch import RunWatch
from procs.observe.samples import report
from procs.observe.samples.rates import Rates
from procs.observe.screens import ladder
from procs.observe.taps.sent import PARTS
from procs.plan.run_records import HOPS
from procs.plan.wiring import BOOK, STRATEGY, AccountWiring
from vortex.codes import BookState, Kind, OrderState, Side
from vortex.orders.order_table import is_open

LEVEL_COUNT = 12
NS_PER_MS = 10**6
#: The gateway's counters that the page of the venue shows.
ORDER_COUNTERS = (
    "placed", "replaced", "canceled", "fills", "answers", "timeouts", "status_asked",
    "connections", "disconnections", "cancel_alls", "late", "strays", "invalid",
)  # fmt: skip


def pipeline(watch: RunWatch) -> dict[str, Any]:
    """Return stages, rings and losses."""
    stages = []
    for role, place in places(watch).items():
        supervised = watch.supervised.get(role)
        stage, rate = watch.sample.stages[role], watch.rates.stages[role]
        stages.append({
            "role": role, "state": stage.state, **place,
            "heartbeat_ms": stage.heartbeat_age_ns / NS_PER_MS,
            "life": stage.epoch,
            "phase": supervised.phase if supervised else "",
            "restarts": supervised.restart_count if supervised else 0,
            "loops_per_s": rate.loops_per_s,
            "work_per_s": rate.work_per_s,
        })  # fmt: skip
    rings = [
        {
            "name": name, "writer": ring.writer, "reader": ring.reader or "",
            "waiting": ring.waiting, "capacity": ring.capacity,
            "per_s": watch.rates.rings[name].records_per_s,
        }
        for name, ring in watch.sample.rings.items()
    ]  # fmt: skip
    counters = {role: stage.counters for role, stage in watch.sample.stages.items()}
    return {
        "stages": stages,
        "rings": rings,
        "losses": {
            "records dropped": report.dropped(watch.view),
            "stalls on a full market ring": watch.ingest_total("stalls"),
            "backlogs dropped": watch.ingest_total("epochs"),
            "waits for room on tops": counters[BOOK]["tops_full"],
            "decisions delayed, requests full": counters[STRATEGY]["requests_full"],
            "order events lost": watch.gateway_total("events_lost"),
            "requests discarded": watch.gateway_total("discarded"),
            "halts": watch.gateway_total("halts"),
        },
        "frames_merged": report.merged(watch.view),
    }


def places(watch: RunWatch) -> dict[str, dict[str, Any]]:
    """Return the CPU of each stage, and its wait mode."""
    return {
        role: {"pid": stage.pid, "cpu": stage.cpu_index, "wait": stage.wait}
        for role, stage in watch.sample.stages.items()
    }


def latency(watch: RunWatch) -> dict[str, Any]:
    """Return the summary of every histogram, and the slowest orders."""
    return {
        "names": list(watch.latency_names),
        "hops": list(HOPS),
        "recent": watch.lately,
        "run": watch.since_start,
        "parts": PARTS,
        "worst": watch.orders.worst(),
        "unseen": watch.orders.sent.lost_count,
    }


def venue(watch: RunWatch) -> dict[str, Any]:
    """Return the state of the market data and of the venue's answers."""
    view = watch.view
    now_ns = view.now_ns()
    feeds = []
    for index, symbol in enumerate(view.config.symbols):
        touch = view.cell("touches", index)
        frame_ns = int(touch["kernel_ns"])
        feeds.append({
            "symbol": symbol,
            "state": BookState(int(touch["state"])).name.lower(),
            "in_sync": bool(touch["is_valid"]),
            "age_ms": (now_ns - frame_ns) / NS_PER_MS if frame_ns else None,
            "lag_ms": watch.lags_ms.get(index),
            "update_id": int(touch["update_id"]),
            "gaps": int(touch["gap_count"]),
            "snapshots": int(touch["snapshot_wanted_count"]),
            "levels": [int(touch["bid_level_count"]), int(touch["ask_level_count"])],
        })  # fmt: skip
    sources = [
        {
            "role": role,
            "url": source.stream_url,
            "venue": source.venue,
            **{key: watch.sample.stages[role].counters[key] for key in (
                "connections", "disconnections", "pings", "messages", "invalid", "general", "bytes",
            )},
            "messages_per_s": watch.rates.stages[role].counters_per_s["messages"],
            "bytes_per_s": watch.rates.stages[role].counters_per_s["bytes"],
        }
        for role, source in zip(view.wiring.ingest_roles, view.config.sources, strict=True)
    ]  # fmt: skip
    return {
        "feeds": feeds,
        "sources": sources,
        "refusals": report.refusals(view),
        "orders": {name: watch.gateway_total(name) for name in ORDER_COUNTERS},
        "accounts": [account_facts(watch, account) for account in view.wiring.accounts],
        "rejects": report.rejects(view),
        "round_trip": {
            "recent": watch.lately.get("order_round_trip_ns"),
            "run": watch.since_start.get("order_round_trip_ns"),
        },
    }  # fmt: skip


def account_facts(watch: RunWatch, account: AccountWiring) -> dict[str, Any]:
    """Return how one account's gateway and its venue get on."""
    return {
        "name": account.settings.name,
        "role": account.role,
        "venue": account.settings.venue,
        "order_url": account.settings.order_url,
        "symbols": [watch.units.symbols[index] for index in account.instrument_ids],
        "orders": {
            name: watch.sample.stages[account.role].counters[name] for name in ORDER_COUNTERS
        },
        "budget": budget(watch, account),
    }


def budget(watch: RunWatch, account: AccountWiring) -> dict[str, Any]:
    """Return how much of the venue's window of new orders is used."""
    rate = watch.view.records(account.named("order_rate"))[0].copy()
    window_ns = int(rate["window_ns"])
    wall_ns = watch.units.wall_ms(watch.view.now_ns()) * NS_PER_MS
    is_now = window_ns > 0 and wall_ns // window_ns == int(rate["window_index"])
    blocked_ms = (int(rate["blocked_until_wall_ns"]) - wall_ns) / NS_PER_MS
    return {
        "used": int(rate["order_count"]) if is_now else 0,
        "most": int(rate["order_count_max"]),
        "window_s": window_ns / 1e9,
        "blocked_s": max(blocked_ms / 1e3, 0.0),
    }


def book(watch: RunWatch) -> dict[str, Any]:
    """Return ladders with our quotes, orders, fills, positions."""
    view, units = watch.view, watch.units
    now_ns = view.now_ns()
    rows = [row for row in whole_orders(view) if is_open(int(row["state"]))]
    instruments = []
    for index, symbol in enumerate(view.config.symbols):
        ours: dict[tuple[int, int], int] = {}
        for row in rows:
            if row["instrument_id"] == index:
                key = (int(row["side"]), int(row["price_ticks"]))
                ours[key] = ours.get(key, 0) + int(row["qty_lots"]) - int(row["filled_lots"])
        instruments.append({
            "symbol": symbol,
            "base": view.records("instruments")[index]["base_asset"].decode(),
            "quote": view.records("instruments")[index]["quote_asset"].decode(),
            "in_sync": bool(view.cell("touches", index)["is_valid"]),
            **ladder_of(watch, index, ours),
            **position_of(watch, index),
        })  # fmt: skip
    orders = [
        {
            "order_id": int(row["order_id"]),
            "symbol": units.symbols[int(row["instrument_id"])],
            "side": Side(int(row["side"])).name.lower(),
            "price": units.price(int(row["instrument_id"]), int(row["price_ticks"])),
            "qty": units.quantity(int(row["instrument_id"]), int(row["qty_lots"])),
            "filled": units.quantity(int(row["instrument_id"]), int(row["filled_lots"])),
            "state": OrderState(int(row["state"])).name.lower(),
            "asked": Kind(int(row["request_kind"])).name.lower() if row["request_kind"] else "",
            "age_ms": (now_ns - int(row["created_ns"])) / NS_PER_MS,
        }
        for row in sorted(rows, key=lambda row: (row["instrument_id"], -row["price_ticks"]))
    ]
    return {
        "instruments": instruments,
        "orders": orders,
        "fills": list(watch.orders.newest_fills),
        "events": list(watch.orders.newest_events),
        "pnl": watch.pnl,
    }


def ladder_of(watch: RunWatch, index: int, ours: dict[tuple[int, int], int]) -> dict[str, Any]:
    """Return the best levels of one book: price, quantity, ours, quantity up to there."""
    units = watch.units
    found = ladder.read(watch.view, index, LEVEL_COUNT)
    if found is not None and not found.is_crossed:
        watch.ladders[index] = found  # otherwise show the last whole one, which is a moment old
    sides: dict[str, Any] = {}
    for name, side, levels in zip(
        ("bids", "asks"),
        (Side.BUY, Side.SELL),
        watch.ladders.get(index, ladder.Ladder([], [])),
        strict=True,
    ):
        sum_lots, sides[name] = 0, []
        for price_ticks, qty_lots in levels:
            sum_lots += qty_lots
            own_lots = ours.get((side, price_ticks), 0)
            sides[name].append([
                units.price(index, price_ticks), units.quantity(index, qty_lots),
                units.quantity(index, own_lots) if own_lots else "", sum_lots,
            ])  # fmt: skip
    return sides


def position_of(watch: RunWatch, index: int) -> dict[str, Any]:
    """Return the sums of our fills of one instrument."""
    units = watch.units
    position = watch.view.position(index)
    limit_lots = int(watch.view.records("limits")[index]["position_lots_max"])
    return {
        "position": units.quantity(index, int(position["base_lots"])),
        "position_share": int(position["base_lots"]) / limit_lots if limit_lots else 0.0,
        "position_max": units.quantity(index, limit_lots),
        "bought": units.quantity(index, int(position["bought_lots"])),
        "sold": units.quantity(index, int(position["sold_lots"])),
        "fill_count": int(position["fill_count"]),
        "profit": watch.profits[index],
    }


def machine(watch: RunWatch) -> dict[str, Any]:
    """Return how the machine treats the hot threads."""
    placement = places(watch)
    return {
        **watch.machine.facts,
        "threads": threads(watch.rates),
        "places": placement,
        "own_late_ms": watch.own_late_ms,
        "engine_cpus": sorted({place["cpu"] for place in placement.values()}),
        "doctor": watch.doctor.newest(),
    }


def threads(rates: Rates) -> dict[str, dict[str, float]]:
    """Return the activity of the hot threads, per second; nothing for a missing one."""
    found = {}
    for role, rate in rates.stages.items():
        if rate.cpu_share is None:
            continue
        found[role] = {
            "run_share": rate.cpu_share,
            "wait_ms": (rate.runnable_share or 0.0) * 1e3,
            "voluntary": rate.voluntary_switches_per_s or 0.0,
            "involuntary": rate.involuntary_switches_per_s or 0.0,
            "minor_faults": (rate.minor_faults or 0) / rates.seconds,
            "major_faults": (rate.major_faults or 0) / rates.seconds,
        }
    return found


def log(watch: RunWatch) -> dict[str, Any]:
    """Return nothing: the server sends each line of the log once, beside the page."""
    return {"run_folder": watch.view.run_folder.name}


PAGES = {
    "pipeline": pipeline,
    "latency": latency,
    "venue": venue,
    "book": book,
    "machine": machine,
    "log": log,
}


def headline(watch: RunWatch) -> dict[str, Any]:
    """Return the content at the top of every page."""
    sample, rates = watch.sample, watch.rates
    states = [stage.state for stage in sample.stages.values()]
    tick_to_order = watch.lately.get("tick_to_order_ns", {})
    return {
        "instance": sample.instance,
        "run_id": f"{watch.mark.run_id:08x}",
        "is_ready": sample.is_ready,
        "is_pulled": sample.is_pulled,
        "stages_ready": states.count("ready"),
        "stage_count": len(states),
        "books_in_sync": all(b.is_valid and b.state == "live" for b in sample.books.values()),
        "beat_ms": max(s.heartbeat_age_ns for s in sample.stages.values()) / NS_PER_MS,
        "messages_per_s": rates.messages_per_s,
        "orders_per_s": rates.orders_per_s,
        "fills": watch.gateway_total("fills"),
        "open_orders": sum(book.open_order_count for book in sample.books.values()),
        "pnl": watch.pnl,
        "dropped": report.dropped(watch.view),
        "p50_us": tick_to_order.get("p50"),
        "p99_us": tick_to_order.get("p99"),
        "seconds": watch.seconds(),
        "symbols": watch.view.config.symbols,
        "roles": watch.view.wiring.roles,
        "latency_names": list(watch.latency_names),
    }
