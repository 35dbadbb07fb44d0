"""Every ring and table has one writer, and what is wired is what the configuration asks for."""

from typing import Any

import msgspec
import pytest
from engines import strategy_of

from ipc.segment import PAGE_BYTES
from procs.plan import run_records, wiring
from procs.plan.config import Config
from vortex.orders.quoting import QUOTE_COUNT


def config_of(*symbols_of_sources: list[str], **tables: Any) -> Config:
    """Return a configuration with one source for each list of symbols."""
    symbols = [symbol for symbols in symbols_of_sources for symbol in symbols]
    return msgspec.convert(
        {
            "instance": "wired",
            "sources": [
                {"name": f"s{index}", "rest_url": "http://x", "stream_url": "ws://x",
                 "symbols": symbols}
                for index, symbols in enumerate(symbols_of_sources)
            ],
            "accounts": [{"rest_url": "http://x", "order_url": "ws://x"}],
            "strategies": [strategy_of(symbol, 1) for symbol in symbols],
            **tables,
        },
        Config,
    )  # fmt: skip


def two_accounts(*symbols: str, **tables: Any) -> Config:
    """Return a configuration in which two accounts take turns to trade the symbols."""
    accounts = [{"name": name, "rest_url": "http://x", "order_url": "ws://x"} for name in "ab"]
    strategies = [
        {**strategy_of(symbol, 1), "account": "ab"[index % 2]}
        for index, symbol in enumerate(symbols)
    ]
    return config_of(list(symbols), **{"accounts": accounts, "strategies": strategies, **tables})


ONE, TWO = config_of(["BTCUSDT", "ETHUSDT"]), config_of(["BTCUSDT"], ["ETHUSDT", "BNBUSDT"])


@pytest.mark.parametrize("config", [ONE, TWO, two_accounts("BTCUSDT", "ETHUSDT")])
def test_writers_and_readers_are_stages_and_tables_have_owners(config: Config) -> None:
    """No name is wired twice; nobody reads what he writes; every owner exists."""
    wired = wiring.wire(config)
    assert not set(wired.links) & set(wired.tables)
    for link in wired.links.values():
        assert link.writer in wired.roles
        assert link.reader in {*wired.roles, None} - {link.writer}
        assert link.spec.has_reader == (link.reader is not None)
    for table in wired.tables.values():
        assert table.owner in {*wired.roles, wiring.SUPERVISOR, wiring.LOG_WRITER}
        assert table.count > 0


def test_one_source_is_one_ingest() -> None:
    """The usual case has the plain name."""
    wired = wiring.wire(ONE)
    assert wired.roles == ["ingest", "book", "strategy", "gateway"]
    assert wired.links["market.ingest"].reader == "book"


def test_several_sources_are_several_ingests_with_a_ring_each() -> None:
    """Each source has its own process, ring, status and counters."""
    wired = wiring.wire(TWO)
    assert wired.roles == ["ingest-s0", "ingest-s1", "book", "strategy", "gateway"]
    for role in ("ingest-s0", "ingest-s1"):
        link = wired.links[f"market.{role}"]
        assert (link.writer, link.reader) == (role, "book")
        assert wired.tables[f"status.{role}"].owner == role
        assert wired.tables[f"counters.{role}"].owner == role
    assert wired.tables["commands"].count == 5
    assert wired.tables["positions"].count == 3


def test_every_stage_has_status_and_counters_of_its_own() -> None:
    """And only the supervisor writes the commands."""
    wired = wiring.wire(ONE)
    for role in wired.roles:
        assert wired.tables[f"status.{role}"].owner == role
        assert wired.tables[f"counters.{role}"].owner == role
    assert wired.tables["commands"].owner == wiring.SUPERVISOR
    assert wired.tables["orders"].owner == wired.tables["positions"].owner == wiring.GATEWAY


def test_capacities_are_the_configured_powers_of_two() -> None:
    """A ring holds 2 to the configured power, whole pages of it."""
    rings = {
        "market_bits": 9, "tops_bits": 8, "requests_bits": 7, "events_bits": 10, "steps_bits": 11,
    }  # fmt: skip
    wired = wiring.wire(config_of(["BTCUSDT"], rings=rings))
    sizes = {name: link.spec.capacity_count for name, link in wired.links.items()}
    expected = {
        "market.ingest": 512, "tops": 256, "requests": 128, "events": 1024,
        "steps.book": 2048, "steps.strategy": 2048,
    }  # fmt: skip
    assert {name: sizes[name] for name in expected} == expected
    for link in wired.links.values():
        assert link.spec.capacity_count * link.spec.slot_bytes % PAGE_BYTES == 0


@pytest.mark.parametrize("bits", [6, 9, 13, 24])
def test_the_largest_message_fits_beside_a_waiting_one(bits: int) -> None:
    """A market message may fill at most half the ring; a step's requests always fit."""
    rings = dict.fromkeys(("market_bits", "tops_bits", "requests_bits", "events_bits"), bits)
    wired = wiring.wire(config_of(["BTCUSDT"], rings=rings))
    market = wired.links["market.ingest"].spec
    assert 2 * market.message_count_max <= market.capacity_count
    assert market.message_count_max <= wiring.MARKET_MESSAGE_MAX
    assert wired.links["requests"].spec.message_count_max == QUOTE_COUNT


def test_books_are_whole_blocks() -> None:
    """Each instrument's book begins on a block; the table holds all of them."""
    for levels in (64, 1000, 8192):
        config = config_of(["BTCUSDT", "ETHUSDT"], books={"levels": levels})
        assert wiring.book_bytes(config) % run_records.BLOCK_BYTES == 0
        blocks = wiring.book_bytes(config) // run_records.BLOCK_BYTES
        assert wiring.wire(config).tables["books"].count == 2 * blocks


def test_segments_are_named_after_the_instance() -> None:
    """So two instances never share one."""
    assert wiring.wire(ONE).segment("tops") == "/vortex.wired.tops"


def test_several_accounts_are_several_gateways_with_rings_and_tables_each() -> None:
    """The names of what is theirs end in theirs; the strategy reads and writes all of them."""
    wired = wiring.wire(two_accounts("BTCUSDT", "ETHUSDT", "BNBUSDT"))
    assert wired.roles == ["ingest", "book", "strategy", "gateway-a", "gateway-b"]
    for account, instrument_ids in zip(wired.accounts, ((0, 2), (1,)), strict=True):
        role, end = account.role, f".{account.settings.name}"
        assert account.instrument_ids == instrument_ids
        assert (wired.links[f"requests{end}"].writer, wired.links[f"requests{end}"].reader) == (
            "strategy", role,
        )  # fmt: skip
        assert (wired.links[f"events{end}"].writer, wired.links[f"events{end}"].reader) == (
            role, "strategy",
        )  # fmt: skip
        tables = [f"{name}{end}" for name in ("orders", "positions", "balances", "order_rate")]
        assert {wired.tables[name].owner for name in [*tables, f"latency.{role}"]} == {role}
        assert {wired.links[f"{name}{end}"].writer for name in ("sent", "worst")} == {role}
        assert wired.account_of(role) is account
        assert all(wired.account_for(index) is account for index in instrument_ids)
        assert wired.tables[f"balances{end}"].count == 2 * len(instrument_ids)
    assert wired.tables["positions.a"].count == wired.tables["positions.b"].count == 3
    assert wired.hop_roles("gateway-b") == [0, 1, 2, 4]
    assert "orders" not in wired.tables


@pytest.mark.parametrize(
    ("symbol_count", "open_orders", "row_count"),
    [(1, 8, 256), (4, 8, 256), (5, 8, 512), (100, 8, 8192), (1, 100, 1024)],
)
def test_an_order_table_has_room_for_the_orders_of_its_symbols(
    symbol_count: int, open_orders: int, row_count: int
) -> None:
    """A power of two, which the row of an order's number is made by."""
    symbols = [f"S{index}USDT" for index in range(symbol_count)]
    strategies = [strategy_of(symbol, 1) for symbol in symbols]
    for choice in strategies:
        choice["limits"]["open_orders"] = open_orders
    wired = wiring.wire(config_of(symbols, strategies=strategies))
    assert wired.tables["orders"].count == row_count


def test_one_account_has_the_plain_names() -> None:
    """Whatever it is called."""
    accounts = [{"name": "mine", "rest_url": "http://x", "order_url": "ws://x"}]
    wired = wiring.wire(config_of(["BTCUSDT"], accounts=accounts))
    assert wired.gateway_roles == ["gateway"]
    assert {"requests", "events", "sent", "worst"} <= set(wired.links)
