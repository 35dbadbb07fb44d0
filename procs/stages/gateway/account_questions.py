"""Questions about the account: asked over a fresh order connection or REST, read into records."""

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from ipc.types import RecordArray
from procs.connections import http
from procs.connections.handshake import HandshakeError, VenueSocket
from procs.connections.http import HttpError
from procs.plan.config import AccountConfig
from procs.plan.credentials import Credentials
from vortex import units, venues
from vortex.codes import Answer, Execution, FeeAsset, InstrumentKind, Reject, Side
from vortex.records import ANSWER
from vortex.venues.contract import (
    AccountFill,
    AccountState,
    Ask,
    Asker,
    OrderStatus,
    Refused,
    Transport,
)
from vortex.wire.signers import signer_of

T = TypeVar("T")

WORD = 2**64
NS_PER_MS = 1_000_000
#: How many pages of one list are read, and within which time.
PAGES_MAX, PAGES_S_MAX = 200, 30.0


def as_words(trade_id: int) -> tuple[int, int]:
    """Return the upper and lower 64 bits of a trade id as int64; of -1, for none, 0 and -1."""
    if trade_id == -1:
        return 0, -1
    high, low = divmod(trade_id, WORD)
    return (high + WORD // 2) % WORD - WORD // 2, (low + WORD // 2) % WORD - WORD // 2


def trade_id_of(high: int, low: int) -> int:
    """Return the trade id of two int64 words: see ``as_words``."""
    return -1 if (high, low) == (0, -1) else high % WORD * WORD + low % WORD


class AccountQuestions:
    """Asks the venue about our account, and reads what it replies.

    Every method raises ``Refused`` when the venue refuses, HandshakeError or HttpError when there
    is no reply, and ValueError when it cannot be read.
    """

    def __init__(
        self, settings: AccountConfig, credentials: Credentials, ca_file: str | None
    ) -> None:
        """``settings`` is the account's table of the configuration."""
        self.settings = settings
        self.ca_file = ca_file
        self.venue = venues.account_of(settings.venue)
        self.key = credentials.key
        self.signer = signer_of(credentials.secret)
        self.venue_offset_ns = 0
        #: Over which a question goes that is asked on a connection; set while there is one.
        self.link: VenueSocket | None = None

    @property
    def uses_connection(self) -> bool:
        """Whether questions are messages on the connection of requests."""
        return self.venue.time().transport == Transport.WEBSOCKET

    def asker(self) -> Asker:
        """Return what a signed question of this moment needs."""
        wall_ms = (time.time_ns() + self.venue_offset_ns) // NS_PER_MS
        return Asker(self.key, self.signer, wall_ms, self.settings.recv_window_ms)

    def reply(self, ask: Ask) -> bytes:
        """Ask, and return the venue's words: a refusal of HTTP that says why is a reply too."""
        if ask.transport == Transport.WEBSOCKET:
            if self.link is None:
                raise HandshakeError("there is no connection to ask on")
            return self.link.ask(ask.body)
        try:
            return http.request(
                ask.method, self.settings.rest_url, ask.path, dict(ask.headers), self.ca_file,
                ask.body,
            )  # fmt: skip
        except HttpError as error:
            if error.retry_after_s:
                raise Refused(error.status, str(error), 1000 * error.retry_after_s) from error
            if not error.body.startswith(b"{"):
                raise
            return error.body

    def venue_ms(self) -> int:
        """Return the venue's clock."""
        return self.venue.read_time_ms(self.reply(self.venue.time()))

    def pages(self, ask: Ask) -> Iterator[bytes]:
        """Yield the pages of a list, the newest rows first.

        Raises
        ------
        ValueError
            When the venue names a page twice, or pages without end, or they take too long.
        """
        end = time.monotonic() + PAGES_S_MAX
        asked = set[str]()
        page: Ask | None = ask
        while page is not None:
            asked.add(page.path)
            body = self.reply(page)
            yield body
            next_page = self.venue.next_page
            page = next_page(self.asker(), page, body) if next_page is not None else None
            if page is None:
                return
            where = page.path.partition("?")[0]
            if page.path in asked:
                raise ValueError(f"{where}: the venue names the same page again")
            if len(asked) == PAGES_MAX:
                raise ValueError(f"{where}: more than {PAGES_MAX} pages")
            if time.monotonic() > end:
                raise ValueError(f"{where}: {len(asked)} pages took {PAGES_S_MAX:.0f} s")

    def rows(self, ask: Ask, read: Callable[[bytes], list[T]]) -> list[T]:
        """Return the rows of all pages of a list: those of a later page are older, and come first.

        A row that moves to the next page while we read is there twice.
        """
        pages = [read(body) for body in self.pages(ask)]
        return [row for page in reversed(pages) for row in page]

    def open_count(self, symbol: str) -> int:
        """Return how many orders are open on a symbol."""
        ask = self.venue.open_orders(self.asker(), symbol)
        return len({row.venue_order_id for row in self.rows(ask, self.venue.read_open_orders)})

    def cancel_all(self, symbol: str) -> int:
        """Cancel all orders of a symbol; return how many."""
        return self.venue.read_cancel_all(self.reply(self.venue.cancel_all(self.asker(), symbol)))

    def state(self) -> AccountState:
        """Return what the account owns."""
        return self.venue.read_state(self.reply(self.venue.state(self.asker())))

    def status(self, symbol: str, client_order_id: str) -> OrderStatus:
        """Return what became of one order, however long ago that was."""
        try:
            ask = self.venue.order(self.asker(), symbol, client_order_id)
            return self.venue.read_order(self.reply(ask))
        except Refused as refused:
            if not refused.is_unknown_order or self.venue.past_order is None:
                raise
        ask = self.venue.past_order(self.asker(), symbol, client_order_id)
        return self.venue.read_order(self.reply(ask))

    def status_answer(self, instrument: Any, client_order_id: str) -> RecordArray:
        """Return what became of one order as the ANSWER of a venue that was asked by a frame."""
        answer = new_answer(Answer.FATE)
        try:
            status = self.status(instrument["symbol"].decode(), client_order_id)
        except Refused as refused:
            if not refused.is_unknown_order:
                raise
            answer["reject"] = Reject.VENUE_UNKNOWN_ORDER
            return answer
        answer["state"], answer["side"] = status.state, status.side
        answer["price_ticks"] = units.to_e8(status.price) // int(instrument["tick_e8"])
        answer["qty_lots"] = units.to_e8(status.qty) // int(instrument["lot_e8"])
        answer["filled_lots"] = units.to_e8(status.filled_qty) // int(instrument["lot_e8"])
        return answer

    def held_answer(self, instrument: Any, owned: AccountState) -> RecordArray:
        """Return what the account holds of one instrument, as an ANSWER.

        Of a spot market it is the base asset, free and locked; of a contract the position.
        """
        answer = new_answer(Answer.HELD)
        answer["instrument_id"] = instrument["instrument_id"]
        if instrument["instrument_kind"] != InstrumentKind.SPOT and self.venue.read_positions:
            assert self.venue.positions is not None, "a reader has its question"
            symbol = instrument["symbol"].decode()
            positions = self.venue.read_positions(
                self.reply(self.venue.positions(self.asker(), symbol))
            )
            held = [units.to_e8(each.qty) for each in positions if each.symbol == symbol]
        else:
            asset = instrument["base_asset"].decode()
            held = [
                units.to_e8_floor(each.free) + units.to_e8_floor(each.locked)
                for each in owned.balances
                if each.asset == asset
            ]
        answer["held_e8"] = sum(held)
        return answer

    def newest_fill_answer(self, instrument: Any) -> RecordArray:
        """Return after which of the account's fills those of the run come, as an ANSWER."""
        ask = self.venue.fills(self.asker(), instrument["symbol"].decode(), "")
        fills = self.venue.read_fills(self.reply(ask))
        answer = new_answer(Answer.SINCE)
        answer["instrument_id"] = instrument["instrument_id"]
        answer["trade_id_high"], answer["trade_id"] = as_words(fills[-1].trade_id if fills else -1)
        answer["venue_ns"] = (fills[-1].time_ms if fills else self.asker().wall_ms) * NS_PER_MS
        return answer

    def fill_answers(self, instrument: Any, position: Any) -> list[RecordArray]:
        """Return the fills after the newest one of a POSITION, as ANSWERs."""
        symbol = instrument["symbol"].decode()
        trade_id = trade_id_of(int(position["last_trade_id_high"]), int(position["last_trade_id"]))
        mark = self.venue.mark_of(mark_fill(symbol, trade_id, int(position["last_fill_ms"])))
        answers: list[RecordArray] = []
        while True:
            ask = self.venue.fills(self.asker(), symbol, mark)
            fills = self.rows(ask, self.venue.read_fills)
            answers += [fill_answer(instrument, fill) for fill in fills]
            if not fills or self.venue.mark_of(fills[-1]) == mark:
                return answers  # a venue may list the fills at the mark again
            mark = self.venue.mark_of(fills[-1])


def mark_fill(symbol: str, trade_id: int, time_ms: int) -> AccountFill:
    """Return a fill of which only id and time are known."""
    return AccountFill(symbol, trade_id, "", Side.BUY, "0", "0", "0", "", time_ms, is_maker=False)


def new_answer(kind: Answer) -> RecordArray:
    """Return an ANSWER that says nothing but what it is."""
    answer = np.zeros(1, ANSWER.dtype)
    answer["kind"] = kind
    answer["instrument_id"] = answer["trade_id"] = -1
    answer["order_count_10s"] = answer["limit_left_count"] = -1
    return answer


def fill_answer(instrument: Any, fill: AccountFill) -> RecordArray:
    """Return one fill as the ANSWER that an execution report would have become."""
    assets = {
        instrument["base_asset"].decode(): FeeAsset.BASE,
        instrument["quote_asset"].decode(): FeeAsset.QUOTE,
    }
    answer = new_answer(Answer.EXECUTION)
    answer["execution"] = Execution.TRADE
    answer["instrument_id"] = instrument["instrument_id"]
    answer["order_id"] = 1  # ours: the table decides whether the row is still known
    answer["side"] = fill.side
    answer["fill_ticks"] = units.to_e8(fill.price) // int(instrument["tick_e8"])
    answer["fill_lots"] = units.to_e8(fill.qty) // int(instrument["lot_e8"])
    answer["trade_id_high"], answer["trade_id"] = as_words(fill.trade_id)
    answer["fee_e8"] = units.to_e8_ceiling(fill.fee)
    answer["fee_asset"] = assets.get(fill.fee_asset, FeeAsset.OTHER)
    answer["is_maker"] = fill.is_maker
    answer["venue_ns"] = fill.time_ms * NS_PER_MS
    return answer
