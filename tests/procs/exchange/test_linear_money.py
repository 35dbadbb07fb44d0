"""Positions in perpetuals against fractions, and the accounts of both sides together."""

import contextlib
from fractions import Fraction

import pytest
from bybit_client import limit_order, market_order
from hypothesis import given, settings
from hypothesis import strategies as st

from procs.exchange.accounts.linear_money import Holding
from procs.exchange.bybit.texts.bybit_refusals import BybitRefusal
from procs.exchange.bybit.texts.number_texts import padded, stripped
from procs.exchange.core.exchange_config import BybitConfig, ExchangeConfig, SymbolConfig
from procs.exchange.core.instrument import E8, Instrument, to_e8
from procs.exchange.exchange import Exchange
from vortex.codes import Side

LINEAR = SymbolConfig(
    "BTCUSDT",
    "BTC",
    "USDT",
    "60000.00",
    dialect="bybit_linear",
    tick_size="0.10",
    lot_size="0.001",
    maker_fee="0.0002",
    taker_fee="0.00055",
    funding_rate="0.0003",
    funding_interval_s=2,
)
SPOT = SymbolConfig(
    "BTCUSDT", "BTC", "USDT", "60000.00", dialect="bybit_spot", tick_size="0.1", lot_size="0.000001"
)
WIDE = BybitConfig(
    linear_orders_per_s=100_000, spot_orders_per_s=100_000, spot_amends_per_s=100_000
)
FILLS = st.lists(
    st.tuples(st.sampled_from((1, -1)), st.integers(1, 2_000_000), st.integers(1, 5000)),
    max_size=40,
)


@given(FILLS)
def test_a_position_is_what_fractions_say(fills):
    """Profit is what was received less what was paid once flat, and never off by a rounding."""
    config = ExchangeConfig(symbols=(LINEAR,))
    holding = Holding(Instrument(LINEAR, config, 10))
    unit = Fraction(1, 10) * Fraction(1, 1000)
    lots, entry, profit, cash, booked_e8 = 0, Fraction(0), Fraction(0), Fraction(0), 0
    for side, price, qty in fills:
        closed = min(qty, abs(lots)) if lots * side < 0 else 0
        profit += (price - entry) * closed * unit * (1 if lots > 0 else -1)
        lots += side * closed
        opened = qty - closed
        if opened:
            entry = (entry * abs(lots) + price * opened) / (abs(lots) + opened)
            lots += side * opened
        cash -= side * price * qty * unit
        pnl_e8, closed_lots = holding.add(side, price, qty)
        booked_e8 += pnl_e8
        assert (holding.lots, closed_lots) == (lots, closed)
        assert abs(Fraction(booked_e8, E8) - profit) <= Fraction(len(fills), E8)
        if lots:
            wanted = entry / 10
            assert abs(Fraction(holding.entry_e8(), E8) - wanted) < Fraction(1, 100)
        else:
            assert (holding.cost_e8, holding.entry_e8()) == (0, 0)
            assert Fraction(booked_e8, E8) == cash


@given(st.integers(0, 10**18), st.integers(0, 8))
def test_texts_mean_their_number(value_e8, decimals):
    assert to_e8(stripped(value_e8)) == value_e8
    step_e8 = 10 ** (8 - decimals)
    text = padded(value_e8 // step_e8 * step_e8, decimals)
    assert to_e8(text) == value_e8 // step_e8 * step_e8
    assert len(text.partition(".")[2]) == decimals


def exchange_of_two():
    """Return an exchange of two accounts and no time."""
    exchange = Exchange(
        ExchangeConfig(symbols=(LINEAR, SPOT), bybit=WIDE), [("first", "1"), ("second", "2")]
    )
    exchange.open_simulated()
    return exchange


@pytest.fixture(scope="module")
def pair():
    """An exchange on which one example of hypothesis follows the other."""
    return exchange_of_two()


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(("create", "market", "post", "amend", "cancel", "step")),
        st.integers(1, 2),
        st.sampled_from(("Buy", "Sell")),
        st.integers(-40, 40),
        st.integers(1, 900),
        st.booleans(),
        st.sampled_from(("linear", "spot")),
    ),
    max_size=40,
)


def carry_out(venue, action, owner, side, away_ticks, size, reduces, category):
    """Ask for one thing; refusals are as good as results."""
    desk = venue.desks.of(owner)
    market = venue.venue.markets[f"{category}:BTCUSDT"]
    price = market.touch()[0] + away_ticks
    qty = f"{size / 1000:.3f}"
    changes = {"category": category, "side": side, "qty": qty, "reduceOnly": reduces}
    if category == "spot" and action == "market":
        changes["marketUnit"] = "baseCoin"
    if action == "step":
        return
    text = f"{price / 10:.1f}"
    if action in ("create", "post"):
        kind = "PostOnly" if action == "post" else "GTC"
        venue.operations.call(owner, "create", limit_order(text, timeInForce=kind, **changes))
    elif action == "market":
        venue.operations.call(owner, "create", market_order(**changes))
    elif desk.open_orders:
        order = list(desk.open_orders.values())[size % len(desk.open_orders)]
        kind = "linear" if order.instrument.is_linear else "spot"
        body = {"category": kind, "symbol": "BTCUSDT", "orderId": order.public_id}
        body |= {"price": text, "qty": qty} if action == "amend" else {}
        venue.operations.call(owner, action, body)


def check_account(desk):
    """Assert what must hold of an account at any time."""
    spot_locked, order_margin = {}, 0
    for order in desk.open_orders.values():
        assert order.left_lots > 0
        if order.instrument.is_linear:
            order_margin += order.locked_e8
        else:
            asset = order.locked_asset
            spot_locked[asset] = spot_locked.get(asset, 0) + order.locked_e8
    for asset, balance in desk.account.balances.items():
        assert balance.locked_e8 == spot_locked.get(asset, 0)
        assert balance.locked_e8 >= 0
    assert desk.account.balance("USDT").order_margin_e8 == order_margin
    holding = desk.linear.holdings.get("linear:BTCUSDT")
    lots = desk.positions_lots.get("linear:BTCUSDT", 0)
    assert (holding.lots if holding else 0) == lots
    for order in desk.open_orders.values():
        if order.is_reduce_only:
            assert order.left_lots <= desk.linear.reducible_lots(order.instrument, order.side)
            assert lots * order.side < 0


@settings(max_examples=30)
@given(ACTIONS)
def test_money_is_where_it_came_from(pair, actions):
    """Of each account: balances moved by what its executions and funding say, and nothing else."""
    venue = pair.dialects["bybit"]
    before = [
        (
            {asset: balance.total_e8 for asset, balance in desk.account.balances.items()},
            len(desk.executions),
            desk.linear.holding(venue.venue.markets["linear:BTCUSDT"].instrument).cost_e8,
        )
        for desk in venue.desks
    ]
    for number, action in enumerate(actions):
        with contextlib.suppress(BybitRefusal):
            carry_out(venue, *action)
        if action[0] == "step":
            pair.step(number * 1_000_000)
        for desk in venue.desks:
            desk.trim()
            check_account(desk)
    for desk, (balances, execution_count, _) in zip(venue.desks, before, strict=True):
        moved = dict.fromkeys(balances, 0)
        for row in list(desk.executions)[execution_count:]:
            moved[row["feeCurrency"]] -= to_e8(row["execFee"])
            if row["category"] == "linear":
                moved["USDT"] += to_e8(row["execPnl"])
                continue
            sign = Side.BUY if row["side"] == "Buy" else Side.SELL
            moved["BTC"] += sign * to_e8(row["execQty"])
            moved["USDT"] -= sign * to_e8(row["execValue"])
        after = {asset: balance.total_e8 for asset, balance in desk.account.balances.items()}
        assert after == {asset: balances[asset] + moved[asset] for asset in balances}


def test_funding_is_paid_by_longs_to_shorts():
    """At the interval: the rate times the value, an execution of its own kind, the same sum."""
    pair = exchange_of_two()
    venue = pair.dialects["bybit"]
    market = venue.venue.markets["linear:BTCUSDT"]
    for owner, side in ((1, "Buy"), (2, "Sell")):
        venue.operations.call(owner, "create", market_order(side=side, qty="0.250"))
        venue.desks.of(owner).executions.clear()
    holdings = [desk.linear.holding(market.instrument) for desk in venue.desks]
    assert [holding.lots for holding in holdings] == [250, -250]
    while not all(desk.executions for desk in venue.desks):
        pair.step(1)
    rows = [desk.executions[-1] for desk in venue.desks]
    for row, sign in zip(rows, (1, -1), strict=True):
        assert (row["execType"], row["execQty"], row["feeRate"]) == ("Funding", "0.250", "0.0003")
        wanted = Fraction(row["execPrice"]) * Fraction("0.250") * Fraction("0.0003") * sign
        assert Fraction(row["execFee"]) == wanted
    assert to_e8(rows[0]["execFee"]) + to_e8(rows[1]["execFee"]) == 0
    assert venue.venue.step_count % 2000 == 0
    news = [item for desk in venue.desks for item in desk.take_news()]
    assert {item.topic for item in news} <= {
        "execution",
        "position",
        "wallet",
        "order",
        "execution.fast",
    }


def test_one_market_follows_another():
    """The traders of a perpetual believe in the fair price of the spot that it follows."""
    spot = SymbolConfig("BTCUSDT", "BTC", "USDT", "60000.00", deviation_ticks_per_second=200)
    linear = SymbolConfig(
        **{name: getattr(LINEAR, name) for name in LINEAR.__struct_fields__ if name != "follows"},
        follows="binance_spot:BTCUSDT",
    )
    exchange = Exchange(ExchangeConfig(symbols=(spot, linear)), [("key", "secret")])
    exchange.open_simulated()
    for step in range(1, 6000):
        exchange.step(step * 1_000_000)
    bids = [market.touch()[0] * market.instrument.tick_e8 for market in exchange.simulated]
    assert abs(bids[0] - bids[1]) < to_e8("20")
