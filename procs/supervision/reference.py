"""Fetches the instruments of a run; converts our limits to their ticks and lots."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ipc.shared import SharedTable
from ipc.types import RecordArray
from procs.connections import http
from procs.connections.handshake import HandshakeError, check_certificate
from procs.plan.config import Config, Limits, Source
from procs.plan.credentials import Credentials, variables_of
from procs.plan.errors import ConfigError
from procs.plan.wiring import Wiring
from vortex import units, venues
from vortex.orders.limits import LIMITS
from vortex.venues.contract import MarketData
from vortex.wire.signers import signer_of

NS_PER_MS = 1_000_000
PAGES_MAX = 100


def fetch_instruments(config: Config) -> RecordArray:
    """Request the instruments of each source's venue; return the INSTRUMENT table.

    Raises
    ------
    ConfigError
        When the venue does not answer, or does not know a symbol.
    """
    rows = []
    for source_id, source in enumerate(config.sources):
        market = venues.market_of(source.venue)
        try:
            bodies = fetch_pages(market, source, config.tls.ca_file)
            rows.append(market.read_instruments(bodies, source.symbols, source_id))
            rows[-1]["update_chain"] = market.chain
        except http.HttpError as error:
            raise ConfigError(
                f"`$.sources[{source_id}].rest_url`: {error}; is the venue up and the URL right?"
            ) from error
        except ValueError as error:
            raise ConfigError(f"`$.sources[{source_id}].symbols`: {error}") from error
    table = np.concatenate(rows)
    table["instrument_id"] = np.arange(len(table))
    return table


def fetch_pages(market: MarketData, source: Source, ca_file: str | None) -> list[bytes]:
    """Return the pages of a venue's reference data that hold a source's symbols.

    Raises
    ------
    HttpError
        When the venue does not answer, or names further pages without end.
    """
    bodies: list[bytes] = []
    path = market.instruments_path(source.symbols)
    while path and len(bodies) < PAGES_MAX:
        bodies.append(http.get(source.rest_url, path, ca_file))
        path = market.next_instruments_path(bodies[-1], source.symbols)
    if path:
        raise http.HttpError(f"GET {path.partition('?')[0]}: more than {PAGES_MAX} pages")
    return bodies


def check_keys(config: Config, keys: dict[str, Credentials]) -> None:
    """Check that each account's key can send orders.

    Raises
    ------
    ConfigError
        When it cannot.
    """
    for account in config.accounts:
        venue, key = venues.account_of(account.venue), keys[account.name]
        try:
            venue.new_session(key.key, signer_of(key.secret), 1, 1, account.recv_window_ms)
        except ValueError as error:
            names = ", ".join(variables_of(config, account))
            raise ConfigError(f"{names}: {error}") from error


def check_certificates(config: Config) -> None:
    """Check the certificate of every peer with a TLS address.

    Raises
    ------
    ConfigError
        When one does not verify, or does not answer.
    """
    urls = {f"$.sources[{i}].stream_url": s.stream_url for i, s in enumerate(config.sources)}
    for index, account in enumerate(config.accounts):
        urls[f"$.accounts[{index}].order_url"] = account.order_url
        if account.private_url is not None:
            urls[f"$.accounts[{index}].private_url"] = account.private_url
    for key, url in urls.items():
        try:
            check_certificate(url, config.tls.ca_file)
        except HandshakeError as error:
            raise ConfigError(
                f"`{key}`: {error}; `$.tls.ca_file` can name your own authorities"
            ) from error


def shows_key(config: Config, wires: Wiring, role: str) -> bool:
    """Return whether a stage needs a key to open its market stream."""
    if role not in wires.ingest_roles:
        return False
    source = config.sources[wires.ingest_roles.index(role)]
    return bool(venues.market_of(source.venue).key_headers)


def variables_for(
    config: Config, wires: Wiring, roles: Sequence[str], keys: dict[str, Credentials]
) -> dict[str, str]:
    """Return the keys that the process of some stages needs, as environment variables.

    A gateway gets the key of its account.  A market stream that needs a key shows the one of
    ``VORTEX_STREAM_KEY``, or else the first account's.
    """
    found: dict[str, str] = {}
    if any(shows_key(config, wires, role) for role in roles):
        found |= keys[config.accounts[0].name].variables(for_orders=False, for_streams=True)
    for role in wires.gateway_roles:
        if role in roles:
            key = keys[wires.account_of(role).settings.name]
            found |= key.variables(for_orders=True, for_streams=False)
    return found


def fill_tables(config: Config, tables: dict[str, SharedTable], instruments: RecordArray) -> None:
    """Fill the tables that the supervisor owns."""
    tables["instruments"].records[:] = instruments
    for index, symbol in enumerate(config.symbols):
        row = limits_row(symbol, config.limits(config.choice(symbol)), instruments[index])
        tables["limits"].records[index] = row[0]
    quoting = tables["quoting"].records[0]
    quoting["reprice_ticks_min"] = config.quoting.reprice_ticks
    quoting["reject_pause_ns"] = config.quoting.reject_pause_ms * NS_PER_MS


def limits_row(symbol: str, limits: Limits, instrument: Any) -> RecordArray:
    """Return one symbol's limits in its ticks and lots, rounded in the safe direction.

    Raises
    ------
    ConfigError
        When a limit is not a number, or is smaller than the venue's smallest order.
    """
    tick_e8, lot_e8 = int(instrument["tick_e8"]), int(instrument["lot_e8"])
    where = f"limits of {symbol}"
    try:
        order_e8 = units.to_e8(limits.order_qty)
        position_e8 = units.to_e8(limits.position_qty)
        notional_e8 = units.to_e8(limits.order_notional)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error
    row = np.zeros(1, LIMITS.dtype)
    row["qty_lots_max"] = order_e8 // lot_e8
    row["position_lots_max"] = position_e8 // lot_e8
    row["notional_max"] = notional_e8 * 10**8 // (tick_e8 * lot_e8)
    row["price_band_bps"] = limits.price_band_bps
    row["open_orders_max"] = limits.open_orders
    row["decision_age_ns_max"] = limits.decision_age_ms * NS_PER_MS
    row["touch_age_ns_max"] = limits.touch_age_ms * NS_PER_MS
    if row["qty_lots_max"][0] < instrument["qty_lots_min"]:
        raise ConfigError(f"{where}: order_qty {limits.order_qty} is below the venue's minimum")
    return row
