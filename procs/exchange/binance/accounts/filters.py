"""The filters of a symbol: price, quantity, notional, number of orders.

*Source:* the venue's documents, "Filters".
"""

from procs.exchange.binance.words.errors import ExchangeRefusal, filter_failure
from procs.exchange.binance.words.parameters import OrderRequest
from procs.exchange.core.instrument import E8, Instrument

PERCENT_UP, PERCENT_DOWN_INVERSE = 5, 5


def check_order(
    instrument: Instrument, request: OrderRequest, reference_ticks: int, open_order_count: int
) -> None:
    """Refuse an order that breaks a filter; ``reference_ticks`` is the last price, 0 for none."""
    if request.quote_e8 == 0:
        check_qty(instrument, request.qty_e8)
    price_e8 = reference_ticks * instrument.tick_e8
    if request.order_type != "MARKET":
        check_price(instrument, request.price_e8, price_e8)
        price_e8 = request.price_e8
    notional_e8 = request.quote_e8 or price_e8 * request.qty_e8 // E8
    is_too_large = notional_e8 > instrument.notional_max_e8 and request.order_type != "MARKET"
    if notional_e8 < instrument.notional_min_e8 or is_too_large:
        raise filter_failure("NOTIONAL")
    if open_order_count >= instrument.open_orders_max:
        raise filter_failure("MAX_NUM_ORDERS")


def check_qty(instrument: Instrument, qty_e8: int) -> None:
    """Refuse a quantity of zero, off the step, or out of bounds."""
    if qty_e8 <= 0:
        raise ExchangeRefusal(-1013, "Invalid quantity.")
    if qty_e8 % instrument.lot_e8 or qty_e8 > instrument.qty_max_e8:
        raise filter_failure("LOT_SIZE")


def check_price(instrument: Instrument, price_e8: int, reference_e8: int) -> None:
    """Refuse a price of zero, off the tick, out of bounds, or far from the last one."""
    if price_e8 <= 0:
        raise ExchangeRefusal(-1013, "Invalid price.")
    if price_e8 % instrument.tick_e8 or price_e8 > instrument.price_max_e8:
        raise filter_failure("PRICE_FILTER")
    if reference_e8 and not (
        reference_e8 <= price_e8 * PERCENT_DOWN_INVERSE and price_e8 <= reference_e8 * PERCENT_UP
    ):
        raise filter_failure("PERCENT_PRICE_BY_SIDE")
