"""One order of the account, and the shapes in which the venue tells of it.

*Source:* the venue's documents, "Trading requests" (response types) and "User data stream"
(executionReport).
"""

from dataclasses import dataclass, field
from typing import Any

from procs.exchange.instrument import Instrument, text_e8
from vortex.codes import Side

ZERO = "0.00000000"
PREVENTION_MODE = "EXPIRE_MAKER"
FINAL = frozenset({"FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"})


@dataclass(slots=True)
class Fill:
    """One fill of an order."""

    trade_id: int
    price_ticks: int
    qty_lots: int
    quote_e8: int
    fee_e8: int
    fee_asset: str
    is_maker: bool
    time_ms: int


@dataclass(slots=True)
class Order:
    """One order: what was asked, and what became of it."""

    instrument: Instrument
    order_id: int
    client_order_id: str
    side: int
    order_type: str
    time_in_force: str
    price_ticks: int
    qty_lots: int
    created_ms: int
    response_type: str
    status: str = "NEW"
    updated_ms: int = 0
    filled_lots: int = 0
    quote_e8: int = 0
    locked_e8: int = 0
    expiry_reason: str = ""
    fills: list[Fill] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether it may still fill."""
        return self.status not in FINAL

    @property
    def left_lots(self) -> int:
        """What of it has not been filled."""
        return self.qty_lots - self.filled_lots

    @property
    def side_name(self) -> str:
        """The side as the venue writes it."""
        return "BUY" if self.side == Side.BUY else "SELL"

    @property
    def locked_asset(self) -> str:
        """The asset that the order pays with."""
        is_buy = self.side == Side.BUY
        return self.instrument.quote_asset if is_buy else self.instrument.base_asset

    def _quantities(self) -> dict[str, Any]:
        instrument = self.instrument
        return {
            "price": instrument.price_text(self.price_ticks),
            "origQty": instrument.qty_text(self.qty_lots),
            "executedQty": instrument.qty_text(self.filled_lots),
            "origQuoteOrderQty": ZERO,
            "cummulativeQuoteQty": text_e8(self.quote_e8),
            "status": self.status,
            "timeInForce": self.time_in_force,
            "type": self.order_type,
            "side": self.side_name,
        }

    def placed(self) -> dict[str, Any]:
        """Return the answer to its placement, in the response type that it asked for."""
        answer: dict[str, Any] = {
            "symbol": self.instrument.symbol,
            "orderId": self.order_id,
            "orderListId": -1,
            "clientOrderId": self.client_order_id,
            "transactTime": self.created_ms,
        }
        if self.response_type == "ACK":
            return answer
        answer.update(self._quantities())
        answer["workingTime"] = self.created_ms
        if self.response_type == "FULL":
            answer["fills"] = [self._fill_row(fill) for fill in self.fills]
        answer["selfTradePreventionMode"] = PREVENTION_MODE
        if self.expiry_reason:
            answer["expiryReason"] = self.expiry_reason
        return answer

    def _fill_row(self, fill: Fill) -> dict[str, Any]:
        return {
            "price": self.instrument.price_text(fill.price_ticks),
            "qty": self.instrument.qty_text(fill.qty_lots),
            "commission": text_e8(fill.fee_e8),
            "commissionAsset": fill.fee_asset,
            "tradeId": fill.trade_id,
        }

    def canceled(self, cancel_id: str) -> dict[str, Any]:
        """Return the answer to its cancellation by the request ``cancel_id``."""
        return {
            "symbol": self.instrument.symbol,
            "origClientOrderId": self.client_order_id,
            "orderId": self.order_id,
            "orderListId": -1,
            "clientOrderId": cancel_id,
            "transactTime": self.updated_ms,
            **self._quantities(),
            "selfTradePreventionMode": PREVENTION_MODE,
        }

    def status_row(self) -> dict[str, Any]:
        """Return the row of `order.status` and `openOrders.status`."""
        row = {
            "symbol": self.instrument.symbol,
            "orderId": self.order_id,
            "orderListId": -1,
            "clientOrderId": self.client_order_id,
            **self._quantities(),
            "stopPrice": ZERO,
            "icebergQty": ZERO,
            "time": self.created_ms,
            "updateTime": self.updated_ms,
            "isWorking": True,
            "workingTime": self.created_ms,
            "selfTradePreventionMode": PREVENTION_MODE,
        }
        if self.expiry_reason:
            row["expiryReason"] = self.expiry_reason
        return row

    def trade_rows(self) -> list[dict[str, Any]]:
        """Return the rows of `myTrades` for its fills."""
        return [
            {
                "symbol": self.instrument.symbol,
                "id": fill.trade_id,
                "orderId": self.order_id,
                "orderListId": -1,
                "price": self.instrument.price_text(fill.price_ticks),
                "qty": self.instrument.qty_text(fill.qty_lots),
                "quoteQty": text_e8(fill.quote_e8),
                "commission": text_e8(fill.fee_e8),
                "commissionAsset": fill.fee_asset,
                "time": fill.time_ms,
                "isBuyer": self.side == Side.BUY,
                "isMaker": fill.is_maker,
                "isBestMatch": True,
            }
            for fill in self.fills
        ]

    def report(
        self,
        execution: str,
        execution_id: int,
        now_ms: int,
        *,
        fill: Fill | None = None,
        cancel_id: str = "",
        reject_reason: str = "NONE",
    ) -> dict[str, Any]:
        """Return an executionReport of this order as it is now."""
        instrument = self.instrument
        event: dict[str, Any] = {
            "e": "executionReport",
            "E": now_ms,
            "s": instrument.symbol,
            "c": cancel_id or self.client_order_id,
            "S": self.side_name,
            "o": self.order_type,
            "f": self.time_in_force,
            "q": instrument.qty_text(self.qty_lots),
            "p": instrument.price_text(self.price_ticks),
            "P": ZERO,
            "F": ZERO,
            "g": -1,
            "C": self.client_order_id if cancel_id else "",
            "x": execution,
            "X": self.status,
            "r": reject_reason,
            "i": self.order_id,
            "l": instrument.qty_text(fill.qty_lots) if fill else ZERO,
            "z": instrument.qty_text(self.filled_lots),
            "L": instrument.price_text(fill.price_ticks) if fill else ZERO,
            "n": text_e8(fill.fee_e8) if fill else "0",
            "N": fill.fee_asset if fill else None,
            "T": self.updated_ms,
            "t": fill.trade_id if fill else -1,
            "I": execution_id,
            "w": self.is_open and self.time_in_force == "GTC" and self.order_type != "MARKET",
            "m": fill.is_maker if fill else False,
            "M": fill is not None,
            "O": self.created_ms,
            "Z": text_e8(self.quote_e8),
            "Y": text_e8(fill.quote_e8) if fill else ZERO,
            "Q": ZERO,
            "W": self.created_ms,
            "V": PREVENTION_MODE,
        }
        if self.expiry_reason:
            event["eR"] = self.expiry_reason
        return event
