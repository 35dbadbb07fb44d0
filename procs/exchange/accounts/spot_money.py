"""What an order of a spot market sets aside, and what its fills move: two assets change hands."""

from procs.exchange.accounts.accounts import ExchangeAccount
from procs.exchange.accounts.venue import Booking, Market
from procs.exchange.core.exchange_order import Order
from vortex.codes import Side


class SpotMoney:
    """The spot side of one account."""

    def __init__(self, account: ExchangeAccount) -> None:
        self._account = account

    def reserve(self, order: Order, market: Market) -> bool:
        """Set aside what the order may cost; return whether there was enough."""
        instrument = order.instrument
        if order.side == Side.SELL:
            amount_e8 = instrument.base_e8(order.left_lots)
        elif order.order_type == "MARKET":
            # Matching is over before anybody sees the lock; own orders in the way may raise the
            # cost, so all that is free backs a market order for that moment.
            cost_e8 = market.market_cost_e8(order.left_lots)
            amount_e8 = max(cost_e8, self._account.balance(order.locked_asset).free_e8)
        else:
            amount_e8 = instrument.quote_e8(order.price_ticks, order.left_lots)
        if not self._account.lock(order.locked_asset, amount_e8):
            return False
        order.locked_e8 = amount_e8
        return True

    def settle(self, order: Order, price_ticks: int, qty_lots: int, is_maker: bool) -> Booking:
        """Pay one asset from what was set aside, and credit the other, less the commission."""
        instrument = order.instrument
        quote_e8 = instrument.quote_e8(price_ticks, qty_lots)
        base_e8 = instrument.base_e8(qty_lots)
        paid_e8, received_e8, fee_asset = base_e8, quote_e8, instrument.quote_asset
        if order.side == Side.BUY:
            paid_e8, received_e8, fee_asset = quote_e8, base_e8, instrument.base_asset
        self._account.spend_locked(order.locked_asset, paid_e8)
        order.locked_e8 -= paid_e8
        rate_e8 = instrument.fee_e8(is_maker=is_maker)
        fee_e8 = self._account.receive(fee_asset, received_e8, rate_e8)
        return Booking(quote_e8, fee_e8, fee_asset)

    def release_surplus(self, order: Order) -> None:
        """Give back what an open order has set aside beyond what it may still cost."""
        if order.order_type == "MARKET":
            return
        needed_e8 = order.instrument.base_e8(order.left_lots)
        if order.side == Side.BUY:
            needed_e8 = order.instrument.quote_e8(order.price_ticks, order.left_lots)
        self._account.unlock(order.locked_asset, order.locked_e8 - needed_e8)
        order.locked_e8 = needed_e8

    def release(self, order: Order) -> None:
        """Give back all that an order has set aside."""
        self._account.unlock(order.locked_asset, order.locked_e8)
        order.locked_e8 = 0
