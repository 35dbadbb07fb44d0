"""What an account is worth in dollars, and its balances, as the venue writes them."""

from collections.abc import Sequence
from typing import Any

from procs.exchange.accounts.accounts import ExchangeAccount
from procs.exchange.accounts.linear_money import LinearMoney
from procs.exchange.accounts.venue import Market
from procs.exchange.bybit.desk.bybit_rows import coin_row, mark_ticks, unrealised_e8
from procs.exchange.bybit.texts.number_texts import stripped
from procs.exchange.core.instrument import E8

#: Assets that count as the unit of account.
DOLLARS = ("USDT", "USDC", "USD")


def usd_e8(markets: Sequence[Market], asset: str) -> int:
    """Return what one of an asset is worth, in 1e-8; 0 when no market says so."""
    if asset in DOLLARS:
        return E8
    for market in markets:
        instrument = market.instrument
        if instrument.base_asset == asset and instrument.quote_asset in DOLLARS:
            return mark_ticks(market) * instrument.tick_e8
    return 0


def wallet_row(
    account: ExchangeAccount,
    linear: LinearMoney,
    markets: Sequence[Market],
    assets: tuple[str, ...],
) -> dict[str, Any]:
    """Return the account's totals in dollars, and the balances of these assets, or of all."""
    equity_e8 = wallet_e8 = free_e8 = profit_e8 = margin_e8 = 0
    coins = []
    for asset, balance in account.balances.items():
        asset_profit_e8 = unrealised_e8(linear, markets, asset)
        worth_e8 = usd_e8(markets, asset)
        wallet_e8 += balance.total_e8 * worth_e8 // E8
        equity_e8 += (balance.total_e8 + asset_profit_e8) * worth_e8 // E8
        free_e8 += (balance.free_e8 - balance.margin_e8 + asset_profit_e8) * worth_e8 // E8
        profit_e8 += asset_profit_e8 * worth_e8 // E8
        margin_e8 += balance.margin_e8 * worth_e8 // E8
        if not assets or asset in assets:
            coins.append(coin_row(account, asset, asset_profit_e8, worth_e8))
    return {
        "accountIMRate": "0",
        "accountMMRate": "0",
        "accountLTV": "0",
        "totalEquity": stripped(equity_e8),
        "totalWalletBalance": stripped(wallet_e8),
        "totalMarginBalance": stripped(wallet_e8 + profit_e8),
        "totalAvailableBalance": stripped(free_e8),
        "totalPerpUPL": stripped(profit_e8),
        "totalInitialMargin": stripped(margin_e8),
        "totalMaintenanceMargin": "0",
        "coin": coins,
        "accountType": "UNIFIED",
    }
