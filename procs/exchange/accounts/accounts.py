"""One account: what is free, what is locked by open orders, what fills cost."""

from collections.abc import Mapping
from dataclasses import dataclass

from procs.exchange.core.instrument import E8, text_e8, to_e8


@dataclass
class ExchangeBalance:
    """What the account has of one asset, in 1e-8; ``margin_e8`` of it backs perpetuals.

    ``order_margin_e8`` is the part of that which backs orders.
    """

    free_e8: int = 0
    locked_e8: int = 0
    margin_e8: int = 0
    order_margin_e8: int = 0

    @property
    def total_e8(self) -> int:
        """What there is of it."""
        return self.free_e8 + self.locked_e8


class ExchangeAccount:
    """Balances, locks and fees of an account."""

    def __init__(self, balances: Mapping[str, str], maker_fee: str, taker_fee: str) -> None:
        self.balances = {asset: ExchangeBalance(to_e8(text)) for asset, text in balances.items()}
        self.fees_e8 = dict.fromkeys(balances, 0)
        self.maker_fee_e8 = to_e8(maker_fee)
        self.taker_fee_e8 = to_e8(taker_fee)
        self.update_ms = 0

    def balance(self, asset: str) -> ExchangeBalance:
        """Return the balance of an asset, empty if it was never held."""
        return self.balances.setdefault(asset, ExchangeBalance())

    def lock(self, asset: str, amount_e8: int) -> bool:
        """Set an amount aside for an order; return whether there was enough."""
        balance = self.balance(asset)
        if balance.free_e8 - balance.margin_e8 < amount_e8:
            return False
        balance.free_e8 -= amount_e8
        balance.locked_e8 += amount_e8
        return True

    def unlock(self, asset: str, amount_e8: int) -> None:
        """Give back what an order had set aside."""
        balance = self.balance(asset)
        assert 0 <= amount_e8 <= balance.locked_e8, f"{asset}: unlocked more than was locked"
        balance.locked_e8 -= amount_e8
        balance.free_e8 += amount_e8

    def spend_locked(self, asset: str, amount_e8: int) -> None:
        """Pay from what an order had set aside."""
        balance = self.balance(asset)
        assert 0 <= amount_e8 <= balance.locked_e8, f"{asset}: spent more than was locked"
        balance.locked_e8 -= amount_e8

    def receive(self, asset: str, amount_e8: int, rate_e8: int) -> int:
        """Credit what a fill brought, less the commission, which is returned (1e-8)."""
        self.balance(asset).free_e8 += amount_e8
        return self.pay_fee(asset, amount_e8, rate_e8)

    def pay_fee(self, asset: str, amount_e8: int, rate_e8: int) -> int:
        """Take the commission on an amount; return it (1e-8)."""
        fee_e8 = amount_e8 * rate_e8 // E8
        self.balance(asset).free_e8 -= fee_e8
        self.fees_e8[asset] = self.fees_e8.get(asset, 0) + fee_e8
        return fee_e8

    def rows(self) -> list[dict[str, str]]:
        """Return the balances as texts."""
        return [
            {"asset": asset, "free": text_e8(row.free_e8), "locked": text_e8(row.locked_e8)}
            for asset, row in self.balances.items()
        ]
