"""What anybody may ask for: the clock, the symbols, books, trades and tickers."""

from itertools import groupby
from typing import Any

import msgspec

from procs.exchange.accounts.venue import Market
from procs.exchange.binance.accounts.account_desk import Desk
from procs.exchange.binance.words.errors import ExchangeRefusal
from procs.exchange.binance.words.exchange_info import symbol_row
from procs.exchange.binance.words.parameters import Parameters, read_integer
from procs.exchange.core.instrument import E8, text_e8
from vortex.codes import Side

TRADES_LIMIT_MAX = 1000


def symbols_of(desk: Desk, parameters: Parameters) -> list[str]:
    """Return the symbols that a request names, or all."""
    if "symbol" in parameters:
        return [parameters["symbol"]]
    if "symbols" not in parameters:
        return list(desk.venue.markets)
    try:
        return msgspec.json.decode(parameters["symbols"], type=list[str])
    except msgspec.DecodeError:
        raise ExchangeRefusal(-1100, "Illegal characters found in parameter 'symbols'.") from None


def answer_time(desk: Desk, _: Parameters) -> dict[str, int]:
    """Return the exchange's clock."""
    return {"serverTime": desk.venue.clock.now_ms()}


def answer_symbols(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """Return the symbols and their filters."""
    venue = desk.venue
    return {
        "timezone": "UTC",
        "serverTime": venue.clock.now_ms(),
        "rateLimits": desk.limits.rows(),
        "exchangeFilters": [],
        "symbols": [
            symbol_row(desk.market(name).instrument, venue.status(name))
            for name in symbols_of(desk, parameters)
        ],
    }


def answer_trades(desk: Desk, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the last trades, oldest first."""
    limit = min(read_integer(parameters, "limit") or 500, TRADES_LIMIT_MAX)
    market = desk.market(parameters["symbol"])
    price, qty = market.instrument.price_text, market.instrument.qty_text
    return [
        {
            "id": trade.trade_id,
            "price": price(trade.price_ticks),
            "qty": qty(trade.qty_lots),
            "quoteQty": text_e8(market.instrument.quote_e8(trade.price_ticks, trade.qty_lots)),
            "time": trade.time_ms,
            "isBuyerMaker": trade.taker_side == Side.SELL,
            "isBestMatch": True,
        }
        for trade in list(market.tape.trades)[-limit:]
    ]


def answer_aggregate_trades(desk: Desk, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the last trades, those of one taker at one price as one, oldest first.

    The number of a row is that of its first trade.
    """
    limit = min(read_integer(parameters, "limit") or 500, TRADES_LIMIT_MAX)
    market = desk.market(parameters["symbol"])
    price, qty = market.instrument.price_text, market.instrument.qty_text
    rows = []
    for (_, price_ticks), group in groupby(
        market.tape.trades, key=lambda trade: (trade.taker_id, trade.price_ticks)
    ):
        trades = list(group)
        rows.append(
            {
                "a": trades[0].trade_id,
                "p": price(price_ticks),
                "q": qty(sum(trade.qty_lots for trade in trades)),
                "f": trades[0].trade_id,
                "l": trades[-1].trade_id,
                "T": trades[0].time_ms,
                "m": trades[0].taker_side == Side.SELL,
                "M": True,
            }
        )
    return rows[-limit:]


def one_or_all(parameters: Parameters, rows: list[dict[str, Any]]) -> Any:
    """Return the row of a request for one symbol, or the rows."""
    return rows[0] if "symbol" in parameters else rows


def answer_book_tickers(desk: Desk, parameters: Parameters) -> Any:
    """Return best bid and ask."""
    rows = []
    for name in symbols_of(desk, parameters):
        market = desk.market(name)
        rows.append({"symbol": name, **touch_row(market)})
    return one_or_all(parameters, rows)


def touch_row(market: Market) -> dict[str, str]:
    """Return best bid and ask and their quantities."""
    price, qty = market.instrument.price_text, market.instrument.qty_text
    bid_ticks, bid_lots, ask_ticks, ask_lots = market.touch()
    return {
        "bidPrice": price(bid_ticks),
        "bidQty": qty(bid_lots),
        "askPrice": price(ask_ticks),
        "askQty": qty(ask_lots),
    }


def answer_price_tickers(desk: Desk, parameters: Parameters) -> Any:
    """Return the last prices."""
    rows = []
    for name in symbols_of(desk, parameters):
        market = desk.market(name)
        price = market.instrument.price_text(market.last_ticks())
        rows.append({"symbol": name, "price": price})
    return one_or_all(parameters, rows)


def answer_day_tickers(desk: Desk, parameters: Parameters) -> Any:
    """Return the sums of the trades since the exchange opened, in the shape of a day's."""
    names = symbols_of(desk, parameters)
    now_ms = desk.venue.clock.now_ms()
    rows = [day_row(desk.market(name), now_ms) for name in names]
    return one_or_all(parameters, rows)


def day_row(market: Market, now_ms: int) -> dict[str, Any]:
    """Return one symbol's row of `ticker/24hr`."""
    instrument, tape = market.instrument, market.tape
    last_ticks = market.last_ticks()
    open_ticks = tape.open_ticks or last_ticks
    change_ticks = last_ticks - open_ticks
    base_e8 = instrument.base_e8(tape.qty_lots)
    change_e8 = change_ticks * instrument.tick_e8
    last = tape.trades[-1] if tape.trades else None
    return {
        "symbol": instrument.symbol,
        "priceChange": text_e8(change_e8),
        "priceChangePercent": f"{100 * change_ticks / open_ticks if open_ticks else 0:.3f}",
        "weightedAvgPrice": text_e8(tape.quote_e8 * E8 // base_e8 if base_e8 else 0),
        "prevClosePrice": instrument.price_text(open_ticks),
        "lastPrice": instrument.price_text(last_ticks),
        "lastQty": instrument.qty_text(last.qty_lots if last else 0),
        **touch_row(market),
        "openPrice": instrument.price_text(open_ticks),
        "highPrice": instrument.price_text(tape.high_ticks or last_ticks),
        "lowPrice": instrument.price_text(tape.low_ticks or last_ticks),
        "volume": instrument.qty_text(tape.qty_lots),
        "quoteVolume": text_e8(tape.quote_e8),
        "openTime": tape.first_ms or now_ms,
        "closeTime": now_ms,
        "firstId": tape.first_id,
        "lastId": last.trade_id if last else -1,
        "count": tape.count,
    }
