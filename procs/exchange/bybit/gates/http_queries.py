"""What an account, or anybody, may ask over HTTP.

*Source:* the venue's documents, "Market", "Trade", "Position" and "Account".
"""

from collections.abc import Mapping
from typing import Any, Protocol

from procs.exchange.accounts.venue import Venue
from procs.exchange.bybit.desk.bybit_desk import BybitDesk
from procs.exchange.bybit.desk.bybit_rows import category_of, order_row, position_row
from procs.exchange.bybit.texts.bybit_refusals import bad_parameter
from procs.exchange.bybit.texts.number_texts import NumberTexts, decimals_of, padded, stripped
from procs.exchange.bybit.texts.order_requests import read_category
from procs.exchange.bybit.texts.public_ids import trade_text_id
from procs.exchange.bybit.topics.public_feed import SIDES
from procs.exchange.core.exchange_order import Order
from procs.exchange.core.instrument import Instrument
from vortex.codes import Side

Query = Mapping[str, str]
INSTRUMENTS_LIMIT, INSTRUMENTS_MAX = 500, 1000
ROWS_LIMIT, ROWS_MAX = 20, 50
EXECUTIONS_LIMIT, EXECUTIONS_MAX = 50, 100
BOOK_LIMITS = {"linear": 25, "spot": 1}
BOOK_MAX = 1000


def read_limit(query: Query, default: int, largest: int) -> int:
    """Return how many rows a request wants."""
    text = query.get("limit") or str(default)
    if not text.isdecimal() or not int(text) > 0:
        raise bad_parameter("params error: limit invalid")
    return min(int(text), largest)


def read_ms(query: Query, name: str, default: int) -> int:
    """Return a time that a request names."""
    text = query.get(name) or str(default)
    if not text.isdecimal():
        raise bad_parameter(f"params error: {name} invalid")
    return int(text)


def page(query: Query, rows: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    """Return one page of rows, newest first; the cursor is how many older ones are left.

    Counted from the oldest row, so that a row that is new meanwhile moves no other to another page.
    """
    text = query.get("cursor") or str(len(rows))
    if not text.isdecimal():
        raise bad_parameter("params error: cursor invalid")
    start = max(0, len(rows) - int(text))
    left_count = len(rows) - start - limit
    cursor = str(left_count) if left_count > 0 else ""
    return {"nextPageCursor": cursor, "list": rows[start : start + limit]}


class ShownFeed(Protocol):
    """One symbol's market, as HTTP shows it."""

    def book(self, limit: int) -> dict[str, Any]:
        """Return the best levels of the book."""

    def ticker(self) -> dict[str, Any]:
        """Return the ticker."""

    def touch(self) -> dict[str, str]:
        """Return the best bid and ask."""


class MarketQueries:
    """What anybody may ask for."""

    def __init__(self, venue: Venue, feeds: Mapping[str, ShownFeed]) -> None:
        self._venue = venue
        self._feeds = feeds

    def _instruments(self, query: Query) -> list[Instrument]:
        category, symbol = read_category(query), query.get("symbol")
        found = [
            market.instrument
            for market in self._venue.markets.values()
            if category_of(market.instrument) == category
            and symbol in (None, "", market.instrument.symbol)
        ]
        if symbol and not found:
            raise bad_parameter("params error: symbol invalid " + symbol)
        return found

    def _feed(self, query: Query) -> tuple[Instrument, ShownFeed]:
        if not query.get("symbol"):
            raise bad_parameter("params error: symbol is required")
        instrument = self._instruments(query)[0]
        return instrument, self._feeds[instrument.key]

    def answer_time(self, _: Query) -> dict[str, Any]:
        """Return the exchange's clock."""
        now_ms = self._venue.clock.now_ms()
        return {"timeSecond": str(now_ms // 1000), "timeNano": str(now_ms * 1_000_000)}

    def answer_instruments(self, query: Query) -> dict[str, Any]:
        """Return the symbols and their rules; only those of perpetuals come in pages."""
        category = read_category(query)
        rows = []
        for number, instrument in enumerate(self._instruments(query), start=1):
            is_trading = self._venue.status(instrument.key) == "TRADING"
            status = "Trading" if is_trading else "Settling"
            if query.get("status") not in (None, "", status):
                continue
            make = linear_instrument if instrument.is_linear else spot_instrument
            rows.append(make(instrument, status, number))
        if category == "spot":
            return {"category": category, "list": rows}
        limit = read_limit(query, INSTRUMENTS_LIMIT, INSTRUMENTS_MAX)
        return {"category": category, **page(query, rows, limit)}

    def answer_book(self, query: Query) -> dict[str, Any]:
        """Return the book."""
        instrument, feed = self._feed(query)
        default = BOOK_LIMITS[category_of(instrument)]
        return feed.book(read_limit(query, default, BOOK_MAX))

    def answer_tickers(self, query: Query) -> dict[str, Any]:
        """Return the tickers of one symbol or of all."""
        rows = []
        for instrument in self._instruments(query):
            feed = self._feeds[instrument.key]
            rows.append(feed.ticker() | feed.touch())
        return {"category": read_category(query), "list": rows}

    def answer_trades(self, query: Query) -> dict[str, Any]:
        """Return the last trades, newest first."""
        instrument, _ = self._feed(query)
        limit = read_limit(query, EXECUTIONS_LIMIT * 10, EXECUTIONS_MAX * 10)
        texts, tape = NumberTexts(instrument), self._venue.markets[instrument.key].tape
        rows = [
            {
                "execId": trade_text_id(instrument, trade.trade_id),
                "symbol": instrument.symbol,
                "price": texts.price(trade.price_ticks),
                "size": texts.qty(trade.qty_lots),
                "side": SIDES[Side(trade.taker_side)],
                "time": str(trade.time_ms),
                "isBlockTrade": False,
                "isRPITrade": False,
                "seq": str(trade.trade_id),
            }
            for trade in reversed(tape.trades)
        ]
        return {"category": category_of(instrument), "list": rows[:limit]}


def linear_instrument(instrument: Instrument, status: str, number: int) -> dict[str, Any]:
    """Return the row of a perpetual."""
    config = instrument.config
    qty_max = padded(instrument.qty_max_e8, decimals_of(config.lot_size))
    return {
        "symbol": instrument.symbol,
        "contractType": "LinearPerpetual",
        "status": status,
        "baseCoin": instrument.base_asset,
        "quoteCoin": instrument.quote_asset,
        "launchTime": "1584230400000",
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(decimals_of(config.tick_size)),
        "leverageFilter": {
            "minLeverage": "1",
            "maxLeverage": f"{config.leverage}.00",
            "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": config.tick_size,
            "maxPrice": padded(instrument.price_max_e8, decimals_of(config.tick_size)),
            "tickSize": config.tick_size,
        },
        "lotSizeFilter": {
            "maxOrderQty": qty_max,
            "minOrderQty": config.lot_size,
            "qtyStep": config.lot_size,
            "postOnlyMaxOrderQty": qty_max,
            "maxMktOrderQty": qty_max,
            "minNotionalValue": stripped(instrument.notional_min_e8),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": config.funding_interval_s // 60,
        "settleCoin": instrument.quote_asset,
        "copyTrading": "none",
        "upperFundingRate": "0.005",
        "lowerFundingRate": "-0.005",
        "isPreListing": False,
        "preListingInfo": None,
        "riskParameters": {"priceLimitRatioX": "0.05", "priceLimitRatioY": "0.05"},
        "displayName": "",
        "symbolType": "",
        "forbidUplWithdrawal": False,
        "symbolId": number,
    }


def spot_instrument(instrument: Instrument, status: str, number: int) -> dict[str, Any]:
    """Return the row of a spot symbol."""
    qty_max, lot = stripped(instrument.qty_max_e8), stripped(instrument.lot_e8)
    return {
        "symbolId": number,
        "symbol": instrument.symbol,
        "baseCoin": instrument.base_asset,
        "quoteCoin": instrument.quote_asset,
        "innovation": "0",
        "status": status,
        "marginTrading": "none",
        "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": lot,
            "quotePrecision": "0.00000001",
            "minOrderQty": lot,
            "maxOrderQty": qty_max,
            "minOrderAmt": stripped(instrument.notional_min_e8),
            "maxOrderAmt": stripped(instrument.notional_max_e8),
            "maxLimitOrderQty": qty_max,
            "maxMarketOrderQty": qty_max,
            "postOnlyMaxLimitOrderSize": qty_max,
        },
        "priceFilter": {"tickSize": stripped(instrument.tick_e8)},
        "riskParameters": {"priceLimitRatioX": "0.05", "priceLimitRatioY": "0.05"},
        "symbolType": "",
        "xstockMultiplier": "1",
    }


def is_meant(order: Order, query: Query) -> bool:
    """Return whether a request for orders means this one."""
    instrument = order.instrument
    return (
        category_of(instrument) == query["category"]
        and query.get("symbol") in (None, "", instrument.symbol)
        and query.get("baseCoin") in (None, "", instrument.base_asset)
        and query.get("settleCoin") in (None, "", instrument.quote_asset)
        and query.get("orderId") in (None, "", order.public_id)
        and query.get("orderLinkId") in (None, "", order.client_order_id)
    )


def answer_open_orders(desk: BybitDesk, query: Query) -> dict[str, Any]:
    """Return the open orders, newest first; with `openOnly=1` the finished ones instead.

    A request for one order finds it open or finished.
    """
    category = read_category(query)
    names = ("symbol", "baseCoin", "settleCoin", "orderId", "orderLinkId")
    if category == "linear" and not any(query.get(name) for name in names):
        raise bad_parameter("params error: symbol, settleCoin or baseCoin is required")
    is_one = bool(query.get("orderId") or query.get("orderLinkId"))
    wants_open = query.get("openOnly", "0") == "0"
    rows = [
        order_row(order)
        for order in reversed(desk.orders.values())
        if is_meant(order, query) and (is_one or order.is_open == wants_open)
    ]
    return {"category": category, **page(query, rows, read_limit(query, ROWS_LIMIT, ROWS_MAX))}


def answer_order_history(desk: BybitDesk, query: Query) -> dict[str, Any]:
    """Return the finished orders, newest first."""
    category = read_category(query)
    rows = [
        order_row(order)
        for order in reversed(desk.orders.values())
        if is_meant(order, query) and not order.is_open
    ]
    return {"category": category, **page(query, rows, read_limit(query, ROWS_LIMIT, ROWS_MAX))}


def answer_executions(desk: BybitDesk, query: Query) -> dict[str, Any]:
    """Return the account's executions, newest first."""
    category = read_category(query)
    names = ("symbol", "orderId", "orderLinkId", "execType")
    start_ms, end_ms = read_ms(query, "startTime", 0), read_ms(query, "endTime", 1 << 62)
    rows = [
        row
        for row in reversed(desk.executions)
        if row["category"] == category
        and all(query.get(name) in (None, "", row[name]) for name in names)
        and start_ms <= int(row["execTime"]) <= end_ms
    ]
    limit = read_limit(query, EXECUTIONS_LIMIT, EXECUTIONS_MAX)
    return {"category": category, **page(query, rows, limit)}


def answer_wallet(desk: BybitDesk, query: Query) -> dict[str, Any]:
    """Return the balances."""
    assets = tuple(filter(None, query.get("coin", "").split(",")))
    return {"list": [desk.wallet_row(assets)]}


def answer_positions(desk: BybitDesk, query: Query) -> dict[str, Any]:
    """Return the positions: of one symbol also a flat one, else those that are not."""
    if read_category(query) != "linear":
        raise bad_parameter("params error: category only support linear")
    symbol = query.get("symbol")
    if not symbol and not query.get("settleCoin"):
        raise bad_parameter("params error: symbol or settleCoin is required")
    rows = [
        position_row(holding, market)
        for holding, market in desk.holdings()
        if (symbol and symbol == holding.instrument.symbol)
        or (not symbol and holding.lots and query["settleCoin"] == holding.instrument.quote_asset)
    ]
    limit = read_limit(query, ROWS_LIMIT, ROWS_MAX * 4)
    return {"category": "linear", **page(query, rows, limit)}


def answer_account(desk: BybitDesk, _: Query) -> dict[str, Any]:
    """Return what kind of account it is."""
    return {
        "unifiedMarginStatus": 6,
        "marginMode": "REGULAR_MARGIN",
        "isMasterTrader": False,
        "spotHedgingStatus": "OFF",
        "updatedTime": "0",
        "dcpStatus": "OFF",
        "timeWindow": 0,
        "smpGroup": 0,
    }


def answer_key(desk: BybitDesk, _: Query) -> dict[str, Any]:
    """Return what the account's key may do."""
    return {
        "id": str(desk.owner_id),
        "readOnly": 0,
        "permissions": {"ContractTrade": ["Order", "Position"], "Spot": ["SpotTrade"]},
        "userID": desk.owner_id,
        "unified": 1,
        "uta": 1,
        "isMaster": True,
    }


def answer_fee_rates(desk: BybitDesk, query: Query) -> dict[str, Any]:
    """Return the commission of each symbol."""
    category = read_category(query)
    rows = [
        {
            "symbol": market.instrument.symbol,
            "makerFeeRate": stripped(market.instrument.maker_fee_e8),
            "takerFeeRate": stripped(market.instrument.taker_fee_e8),
        }
        for market in desk.venue.markets.values()
        if category_of(market.instrument) == category
        and query.get("symbol") in (None, "", market.instrument.symbol)
    ]
    return {"category": category, "list": rows}
