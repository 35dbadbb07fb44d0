"""One account: what is free, what is locked by open orders, what fills cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from procs.exchange.core.errors import INSUFFICIENT, rejected
from procs.exchange.core.instrument import E8, text_e8, to_e8


@dataclass
class ExchangeBalance:
    """What the account has of one asset, in 1e-8."""

    free_e8: int = 0
    locked_e8: int = 0


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

    def lock(self, asset: str, amount_e8: int) -> None:
        """Set an amount aside for an order, or refuse the order."""
        balance = self.balance(asset)
        if balance.free_e8 < amount_e8:
            raise rejected(INSUFFICIENT)
        balance.free_e8 -= amount_e8
        balance.locked_e8 += amount_e8

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

    def receive(self, asset: str, amount_e8: int, is_maker: bool) -> int:
        """Credit what a fill brought, less the commission, which is returned (1e-8)."""
        rate_e8 = self.maker_fee_e8 if is_maker else self.taker_fee_e8
        fee_e8 = amount_e8 * rate_e8 // E8
        self.balance(asset).free_e8 += amount_e8 - fee_e8
        self.fees_e8[asset] = self.fees_e8.get(asset, 0) + fee_e8
        return fee_e8

    def position_rows(self, assets: Iterable[str]) -> list[dict[str, str]]:
        """Return the `B` rows of an outboundAccountPosition."""
        rows = []
        for asset in assets:
            balance = self.balance(asset)
            free, locked = text_e8(balance.free_e8), text_e8(balance.locked_e8)
            rows.append({"a": asset, "f": free, "l": locked})
        return rows

    def status(self, omit_zero: bool, account_number: int) -> dict[str, Any]:
        """Return the result of `account` and `account.status`."""
        rows = [
            {
                "asset": asset,
                "free": text_e8(balance.free_e8),
                "locked": text_e8(balance.locked_e8),
            }
            for asset, balance in self.balances.items()
            if not omit_zero or balance.free_e8 or balance.locked_e8
        ]
        maker, taker = text_e8(self.maker_fee_e8), text_e8(self.taker_fee_e8)
        none = text_e8(0)
        return {
            "makerCommission": self.maker_fee_e8 // 10_000,
            "takerCommission": self.taker_fee_e8 // 10_000,
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {"maker": maker, "taker": taker, "buyer": none, "seller": none},
            "canTrade": True,
            "canWithdraw": False,
            "canDeposit": False,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": self.update_ms,
            "accountType": "SPOT",
            "balances": rows,
            "permissions": ["SPOT"],
            "uid": account_number,
        }
