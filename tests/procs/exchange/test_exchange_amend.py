"""Amendments: the quantity goes down, the place in the queue stays."""

from decimal import Decimal

import pytest

from procs.exchange.binance.methods import trading
from procs.exchange.binance.words.errors import ExchangeRefusal
from vortex.codes import Side
from vortex.simulation import matching
from vortex.simulation.matching_records import Prevention, TimeInForce

AMEND = "order.amend.keepPriority"


def bid(client_id, price, qty="0.01000", **changes):
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    return {**order, "price": price, "quantity": qty, "newClientOrderId": client_id, **changes}


def amend(desk, client_id, qty, **changes):
    parameters = {"symbol": "BTCUSDT", "origClientOrderId": client_id, "newQty": qty}
    return trading.amend(desk, {**parameters, **changes})


def test_an_amended_order_keeps_its_place(still, inner_price):
    """Of two orders at one price, the older one fills first although it was amended."""
    first, second = still.desks
    price = inner_price()
    trading.place(first, bid("old", price))
    trading.place(second, bid("young", price))
    answer = amend(first, "old", "0.00600", newClientOrderId="less")["amendedOrder"]
    assert (answer["origClientOrderId"], answer["clientOrderId"]) == ("old", "less")
    assert (answer["qty"], answer["status"]) == ("0.00600000", "NEW")
    event = next(e for e in first.outbox if e.get("x") == "REPLACED")
    assert (event["c"], event["C"], event["q"], event["X"]) == ("less", "old", "0.00600000", "NEW")
    address = still.venue.markets["BTCUSDT"]._book_address
    order_id = matching.next_order_id(address)
    price_ticks, ioc = int(Decimal(price) * 100), TimeInForce.IOC.value
    prevention = Prevention.NONE.value
    matching.add(address, order_id, 0, Side.SELL.value, price_ticks, 700, ioc, prevention)
    still.venue.markets["BTCUSDT"].drain()
    less, young = first.find("BTCUSDT", None, "less"), second.find("BTCUSDT", None, "young")
    assert (less.status, less.filled_lots, young.filled_lots) == ("FILLED", 600, 100)


def test_an_amendment_gives_back_what_it_frees(still, inner_price):
    """The lock is the price times what is left, to the last digit."""
    desk = still.desks.of(1)
    price = inner_price()
    trading.place(desk, bid("lock", price))
    amend(desk, "lock", "0.00300", newClientOrderId="lock")
    locked = Decimal(desk.account.balance("USDT").locked_e8) / 10**8
    assert locked == Decimal(price) * Decimal("0.003")
    trading.cancel(desk, {"symbol": "BTCUSDT", "origClientOrderId": "lock"})
    assert desk.account.balance("USDT").locked_e8 == 0


def test_refused_amendments(still, inner_price):
    """Up, unchanged, unknown, off the step, a taken id, the eleventh: each has its words."""
    desk = still.desks.of(1)
    price = inner_price()
    trading.place(desk, bid("a", price))
    trading.place(desk, bid("b", price))

    def refused(client_id, qty, **changes):
        with pytest.raises(ExchangeRefusal) as caught:
            amend(desk, client_id, qty, **changes)
        return caught.value.code, caught.value.message

    increase = "Order amend (quantity increase) is not supported."
    assert refused("a", "0.02000") == (-2038, increase)
    unchanged = "The requested action would change no state; rejecting"
    assert refused("a", "0.01000") == (-2038, unchanged)
    assert refused("nobody", "0.00100") == (-2038, "Unknown order sent.")
    assert refused("a", "0.000001")[0] == -1013
    assert refused("a", "0.00500", newClientOrderId="b") == (-2038, "Duplicate order sent.")
    for count in range(10):
        amend(desk, "a", f"{Decimal('0.009') - Decimal('0.0001') * count}", newClientOrderId="a")
    assert refused("a", "0.00100") == (-2038, "Filter failure: MAX_NUM_ORDER_AMENDS")


def test_amend_over_the_wire(exchange):
    """The WebSocket API amends and tells the account REPLACED; the old id is free again."""
    api = exchange.api().subscribe()
    book = api.call("depth", {"symbol": "BTCUSDT", "limit": 5}, signed=False)["result"]
    price = f"{Decimal(book['bids'][0][0]) - 500:.2f}"
    assert api.call("order.place", bid("wire", price))["status"] == 200
    request = {"symbol": "BTCUSDT", "origClientOrderId": "wire", "newQty": "0.00400"}
    reply = api.call(AMEND, request)
    assert reply["status"] == 200, reply
    renamed = reply["result"]["amendedOrder"]["clientOrderId"]
    event = api.until_execution("REPLACED", "wire")
    assert (event["c"], event["C"], event["I"]) == (
        renamed,
        "wire",
        reply["result"]["executionId"],
    )
    assert api.call("order.place", bid("wire", price))["status"] == 200
    missing = api.call(AMEND, {"symbol": "BTCUSDT", "origClientOrderId": "wire"})
    assert missing["error"]["code"] == -1102
    api.call("openOrders.cancelAll", {"symbol": "BTCUSDT"})
