"""One order of an account, and its fills; ``order_rows`` has the shapes in which it is told."""

from dataclasses import dataclass, field

from procs.exchange.core.instrument import Instrument
from vortex.codes import Side

FINAL = frozenset({"FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"})


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
    """One order: what was asked, and what became of it; times in ns are monotonic."""

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
        """The side as the venue writes it."""
        return "BUY" if self.side == Side.BUY else "SELL"

    @property
    def locked_asset(self) -> str:
        """The asset that the order pays with."""
        is_buy = self.side == Side.BUY
        return self.instrument.quote_asset if is_buy else self.instrument.base_asset
