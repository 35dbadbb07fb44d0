"""One order of an account, and its fills; each dialect has its own shapes in which it says them."""

from dataclasses import dataclass, field

from procs.exchange.core.instrument import Instrument
from vortex.codes import Side

FINAL = frozenset({"FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"})


class Expiry:
    """Why a venue takes the rest of an order away."""

    IOC = "IOC"  # nothing more to take at once
    FOK = "FOK"  # cannot fill whole
    EMPTY = "EMPTY"  # nobody to trade with at the market
    POST_ONLY = "POST_ONLY"  # would have taken
    REDUCED = "REDUCED"  # its quantity was lowered to what has filled


@dataclass(slots=True)
class Fill:
    """One fill of an order; ``time_ns`` is monotonic."""

    trade_id: int
    price_ticks: int
    qty_lots: int
    quote_e8: int
    fee_e8: int
    fee_asset: str
    is_maker: bool
    time_ms: int
    time_ns: int
    pnl_e8: int = 0
    closed_lots: int = 0


@dataclass(slots=True)
class PreventedMatch:
    """One loss of quantity to an order of the same account; ``met_lots`` would have matched."""

    match_id: int
    counter_order_id: int
    price_ticks: int
    qty_lots: int
    met_lots: int


@dataclass(slots=True)
class Order:
    """One order: what was asked, and what became of it; times in ns are monotonic.

    ``public_id`` is its number where that is a text; ``expiry_reason`` an Expiry, or empty.
    """

    instrument: Instrument
    owner_id: int
    order_id: int
    client_order_id: str
    side: int
    order_type: str
    time_in_force: str
    price_ticks: int
    qty_lots: int
    quote_order_e8: int
    prevention_mode: str
    created_ms: int
    response_type: str
    status: str = "NEW"
    updated_ms: int = 0
    arrived_ns: int = 0
    ended_ns: int = 0
    filled_lots: int = 0
    prevented_lots: int = 0
    quote_e8: int = 0
    locked_e8: int = 0
    expiry_reason: str = ""
    public_id: str = ""
    is_reduce_only: bool = False
    cancel_type: str = ""
    fills: list[Fill] = field(default_factory=list)
    preventions: list[PreventedMatch] = field(default_factory=list)
    former_client_order_ids: list[str] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether it may still fill."""
        return self.status not in FINAL

    @property
    def left_lots(self) -> int:
        """What of it has neither been filled nor prevented."""
        return self.qty_lots - self.filled_lots - self.prevented_lots

    @property
    def side_name(self) -> str:
        """The side in a word."""
        return "BUY" if self.side == Side.BUY else "SELL"

    @property
    def locked_asset(self) -> str:
        """The asset that the order pays with."""
        is_buy = self.side == Side.BUY
        return self.instrument.quote_asset if is_buy else self.instrument.base_asset
