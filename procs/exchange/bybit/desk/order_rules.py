"""What an order's price, quantity and value must be; each refusal has the venue's words."""

from procs.exchange.accounts.venue import Market
from procs.exchange.bybit.desk.bybit_rows import mark_ticks
from procs.exchange.bybit.texts.bybit_refusals import refused
from procs.exchange.core.exchange_order import Order
from procs.exchange.core.instrument import Instrument
from vortex.codes import Side

#: How far from the mark an order may take, as a share of it: one twentieth.
BAND_DIVISOR = 20


def check_price(market: Market, side: int, price_e8: int) -> None:
    """Refuse a price off the tick, too high, or too far on the taking side of the mark."""
    instrument = market.instrument
    is_linear = instrument.is_linear
    if price_e8 <= 0 or price_e8 % instrument.tick_e8 or price_e8 > instrument.price_max_e8:
        raise refused("price", is_linear=is_linear)
    mark_e8 = mark_ticks(market) * instrument.tick_e8
    band_e8 = mark_e8 // BAND_DIVISOR
    if mark_e8 and side == Side.BUY and price_e8 > mark_e8 + band_e8:
        raise refused("price_high", is_linear=is_linear)
    if mark_e8 and side == Side.SELL and price_e8 < mark_e8 - band_e8:
        raise refused("price_low", is_linear=is_linear)


def check_qty(instrument: Instrument, qty_e8: int) -> None:
    """Refuse a quantity off the lot, or too large."""
    if qty_e8 % instrument.lot_e8:
        raise refused("qty", is_linear=instrument.is_linear)
    if qty_e8 > instrument.qty_max_e8:
        raise refused("qty_high", is_linear=instrument.is_linear)


def check_value(market: Market, order: Order) -> None:
    """Refuse an order of no quantity, or of too small a value."""
    instrument = market.instrument
    if order.qty_lots <= 0:
        raise refused("qty_low", is_linear=instrument.is_linear)
    price_ticks = order.price_ticks or market.last_ticks()
    if instrument.quote_e8(price_ticks, order.qty_lots) < instrument.notional_min_e8:
        raise refused("value", is_linear=instrument.is_linear)
