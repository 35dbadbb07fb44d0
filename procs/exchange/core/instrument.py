"""One symbol: its units, and its numbers in ticks, lots, 1e-8 of an asset, and as texts."""

from decimal import Decimal

from procs.exchange.core.exchange_config import ExchangeConfig, SymbolConfig

E8 = 100_000_000


def to_e8(text: str) -> int:
    """Return a decimal text in 1e-8; it must be exact."""
    scaled = Decimal(text) * E8
    assert scaled == int(scaled), f"{text} has more than eight decimals"
    return int(scaled)


def text_e8(value_e8: int) -> str:
    """Return a value of 1e-8 with eight decimals."""
    if value_e8 < 0:
        return "-" + text_e8(-value_e8)
    return f"{value_e8 // E8}.{value_e8 % E8:08d}"


class Instrument:
    """Converts between texts, ticks and lots, and 1e-8 of an asset.

    ``key`` is what the symbol is known by among all markets of its venue.
    """

    def __init__(
        self, config: SymbolConfig, exchange: ExchangeConfig, open_orders_max: int, key: str = ""
    ) -> None:
        self.config = config
        self.symbol = config.symbol
        self.key = key or config.symbol
        self.is_linear = config.dialect.endswith("_linear")
        self.base_asset = config.base_asset
        self.quote_asset = config.quote_asset
        self.open_orders_max = open_orders_max
        self.tick_e8 = to_e8(config.tick_size)
        self.lot_e8 = to_e8(config.lot_size)
        self.notional_e16 = self.tick_e8 * self.lot_e8
        assert self.notional_e16 % E8 == 0, f"{self.symbol}: tick times lot is below 1e-8"
        self.price_max_e8 = to_e8(config.price_max)
        self.qty_max_e8 = to_e8(config.qty_max)
        self.notional_min_e8 = to_e8(config.notional_min)
        self.notional_max_e8 = to_e8(config.notional_max)
        self.maker_fee_e8 = to_e8(config.maker_fee or exchange.maker_fee)
        self.taker_fee_e8 = to_e8(config.taker_fee or exchange.taker_fee)

    def price_text(self, price_ticks: int) -> str:
        """Return a price with eight decimals."""
        value_e8 = price_ticks * self.tick_e8
        return f"{value_e8 // E8}.{value_e8 % E8:08d}"

    def qty_text(self, qty_lots: int) -> str:
        """Return a quantity with eight decimals."""
        value_e8 = qty_lots * self.lot_e8
        return f"{value_e8 // E8}.{value_e8 % E8:08d}"

    def base_e8(self, qty_lots: int) -> int:
        """Return a quantity in 1e-8 of the base asset."""
        return qty_lots * self.lot_e8

    def quote_e8(self, price_ticks: int, qty_lots: int) -> int:
        """Return price times quantity in 1e-8 of the quote asset, exact."""
        return price_ticks * qty_lots * self.notional_e16 // E8

    def fee_e8(self, *, is_maker: bool) -> int:
        """Return the commission of a fill as a share of what it is taken from, in 1e-8."""
        return self.maker_fee_e8 if is_maker else self.taker_fee_e8
