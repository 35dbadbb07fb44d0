"""The venue's JSON of an account's balances.

*Source:* the venue's documents, "Account information" and "User data stream".
"""

from collections.abc import Iterable
from typing import Any

from procs.exchange.accounts.accounts import ExchangeAccount
from procs.exchange.core.instrument import text_e8


def position_rows(account: ExchangeAccount, assets: Iterable[str]) -> list[dict[str, str]]:
    """Return the `B` rows of an outboundAccountPosition."""
    rows = []
    for asset in assets:
        balance = account.balance(asset)
        free, locked = text_e8(balance.free_e8), text_e8(balance.locked_e8)
        rows.append({"a": asset, "f": free, "l": locked})
    return rows


def account_status(
    account: ExchangeAccount, omit_zero: bool, account_number: int
) -> dict[str, Any]:
    """Return the result of `account` and `account.status`."""
    none = text_e8(0)
    rows = [
        row
        for row in account.rows()
        if not omit_zero or (row["free"], row["locked"]) != (none, none)
    ]
    maker, taker = text_e8(account.maker_fee_e8), text_e8(account.taker_fee_e8)
    return {
        "makerCommission": account.maker_fee_e8 // 10_000,
        "takerCommission": account.taker_fee_e8 // 10_000,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": maker, "taker": taker, "buyer": none, "seller": none},
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": account.update_ms,
        "accountType": "SPOT",
        "balances": rows,
        "permissions": ["SPOT"],
        "uid": account_number,
    }
