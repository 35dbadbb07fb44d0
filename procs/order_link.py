"""The main thread of the gateway: connects, reconciles, renews masking keys.

Starting and recovering are one path: cancel what is open, see that nothing is, ask about every
order whose fate is open, fetch the fills that were missed, subscribe to our events, and only then
hand the connection over.
"""

import time
from enum import IntEnum
from typing import Any

import numpy as np

from ipc.mailbox import Letter, Mailbox
from ipc.memory import address_of
from ipc.types import RecordArray
from procs.config import Credentials
from procs.connection import Buffers
from procs.feed import Backoff
from procs.handshake import HandshakeError, Link
from procs.stage import Stage
from vortex import units, venues
from vortex.codes import Answer, Execution, FeeAsset, Reject, Side
from vortex.orders import is_open
from vortex.records import ANSWER

CLOSE_TRY_COUNT = 20


class Subject(IntEnum):
    """What the two threads of the gateway write to each other about."""

    CONNECTED = 1  # to hot: descriptor
    RESOLVED = 2  # to hot: address of an ANSWER to the main thread
    ORPHANED = 3  # to hot: the supervisor died
    DISCONNECTED = 4  # to main: descriptor, close code
    TAKEN = 5  # to main: address of the ANSWER, which may be forgotten


class NotReconciled(Exception):
    """The venue did not confirm where we stand; tried again after a while."""


class OrderLink:
    """Keeps the order connection up; ``close`` releases it."""

    def __init__(
        self,
        stage: Stage,
        credentials: Credentials,
        buffers: Buffers,
        positions: RecordArray,
        orders: RecordArray,
    ) -> None:
        self.stage = stage
        self.settings = stage.config.orders
        self.venue = venues.load(self.settings.venue)
        self.credentials = credentials
        self.buffers = buffers
        self.positions = positions
        self.orders = orders
        self.instruments = stage.table("instruments").records
        self.to_hot, self.to_main = Mailbox(), Mailbox()
        self.link: Link | None = None
        self.connecting = Backoff()
        self.lent: dict[int, RecordArray] = {}
        self.said_orphaned = False

    def attend(self) -> bool:
        """Do what there is to do; return whether orders can be sent."""
        while (letter := self.to_main.take()) is not None:
            self.take(letter)
        if self.link is None and self.connecting.is_over() and not self.stage.leaving:
            self.connect()
        if self.stage.is_orphan() and not self.said_orphaned:
            self.stage.log.error("the supervisor died; pulling everything")
            self.said_orphaned = self.to_hot.send(Letter(Subject.ORPHANED))
        self.buffers.renew_keys()
        return self.link is not None

    def take(self, letter: Letter) -> None:
        """Take one letter of the hot thread."""
        if letter.subject == Subject.DISCONNECTED:
            assert self.link is not None, "only an open connection breaks"
            self.stage.log.warning("order connection lost (close code %d)", letter.second)
            self.link.close()
            self.link = None
            self.connecting.failed()
        elif letter.subject == Subject.TAKEN:
            del self.lent[letter.first]

    def connect(self) -> None:
        """Open the connection, reconcile and subscribe on it, and hand it to the hot thread."""
        try:
            link = Link(self.settings.order_url)
        except HandshakeError as error:
            self.stage.log.warning("%s", error)
            self.connecting.failed()
            return
        try:
            for instrument_id, symbol in enumerate(self.stage.config.symbols):
                self.close_all_orders(link, symbol)
                self.fetch_missed_fills(link, instrument_id, symbol)
            self.resolve_orders(link)
            self.venue.read_subscription(link.ask(self.venue.subscribe_request(self.asker())))
        except (HandshakeError, OSError, ValueError, NotReconciled) as error:
            self.stage.log.warning("not reconciled with the venue: %s", error)
            link.close()
            self.connecting.failed()
            return
        self.connecting.reset()
        self.link = link
        self.to_hot.send(Letter(Subject.CONNECTED, link.hand_over()))
        self.stage.log.info("order connection to %s is up", self.settings.order_url)

    def asker(self) -> Any:
        """Return what a signed request of this moment needs."""
        wall_ms = time.time_ns() // 1_000_000
        return self.venue.Asker(self.credentials.key, self.credentials.secret, wall_ms)

    def close_all_orders(self, link: Link, symbol: str) -> None:
        """Cancel everything that is open on one symbol and see that nothing is.

        Raises
        ------
        NotReconciled
            When something still stands after several tries.
        """
        for _ in range(CLOSE_TRY_COUNT):
            answer = link.ask(self.venue.open_orders_request(self.asker(), symbol))
            if not self.venue.read_open_orders(answer):
                return
            answer = link.ask(self.venue.cancel_all_request(self.asker(), symbol))
            count = self.venue.read_cancel_all(answer)
            self.stage.log.info("cancelled %d open orders of %s", count, symbol)
        raise NotReconciled(f"orders of {symbol} still stand after cancel-all")

    def resolve_orders(self, link: Link) -> None:
        """Ask what became of each order whose fate is open, and tell the hot thread."""
        epoch = int(self.stage.status_record["epoch"])
        for row in np.array(self.orders):
            if not is_open(int(row["state"])):
                continue
            instrument_id, order_id = int(row["instrument_id"]), int(row["order_id"])
            symbol = self.stage.config.symbols[instrument_id]
            text = self.venue.client_order_id(self.stage.launch.run_id, epoch, order_id)
            answer = np.zeros(1, ANSWER.dtype)
            answer["kind"], answer["order_id"] = Answer.FATE, order_id
            try:
                order = self.venue.read_order(
                    link.ask(self.venue.order_request(self.asker(), symbol, text))
                )
                lot_e8 = int(self.instruments[instrument_id]["lot_e8"])
                answer["state"] = order.state
                answer["filled_lots"] = units.to_e8(order.executed_qty) // lot_e8
            except self.venue.Refused as refused:
                if not refused.is_unknown_order:
                    raise
                answer["reject"] = Reject.VENUE_UNKNOWN_ORDER
            self.lend(answer)

    def fetch_missed_fills(self, link: Link, instrument_id: int, symbol: str) -> None:
        """Fetch the fills that were reported while nobody listened, and tell the hot thread.

        A run begins with nothing standing, so at its first connection all fills are of the past.
        """
        position = self.positions[instrument_id]
        last_trade_id = int(position["last_trade_id"])
        if last_trade_id == 0 and position["fill_count"] == 0:
            self.begin_fills(link, instrument_id, symbol)
            return
        request = self.venue.trades_request(self.asker(), symbol, last_trade_id + 1)
        while trades := self.venue.read_trades(link.ask(request)):
            for trade in trades:
                self.lend(self.fill_of(instrument_id, trade))
            request = self.venue.trades_request(self.asker(), symbol, trades[-1].id + 1)

    def begin_fills(self, link: Link, instrument_id: int, symbol: str) -> None:
        """Tell the hot thread after which of the account's fills those of the run come."""
        request = self.venue.newest_trade_request(self.asker(), symbol)
        trades = self.venue.read_trades(link.ask(request))
        answer = np.zeros(1, ANSWER.dtype)
        answer["kind"], answer["instrument_id"] = Answer.SINCE, instrument_id
        answer["trade_id"] = trades[-1].id if trades else -1
        self.lend(answer)

    def fill_of(self, instrument_id: int, trade: Any) -> RecordArray:
        """Return one fill as the ANSWER that an execution report would have become."""
        instrument = self.instruments[instrument_id]
        assets = {
            instrument["base_asset"].decode(): FeeAsset.BASE,
            instrument["quote_asset"].decode(): FeeAsset.QUOTE,
        }
        answer = np.zeros(1, ANSWER.dtype)
        answer["kind"], answer["execution"] = Answer.EXECUTION, Execution.TRADE
        answer["instrument_id"] = instrument_id
        answer["order_id"] = 1  # ours: the table decides whether the row is still known
        answer["side"] = Side.BUY if trade.is_buyer else Side.SELL
        answer["fill_ticks"] = units.to_e8(trade.price) // int(instrument["tick_e8"])
        answer["fill_lots"] = units.to_e8(trade.qty) // int(instrument["lot_e8"])
        answer["trade_id"] = trade.id
        answer["fee_e8"] = units.to_e8(trade.commission)
        answer["fee_asset"] = assets.get(trade.commission_asset, FeeAsset.OTHER)
        answer["is_maker"] = trade.is_maker
        answer["venue_ns"] = trade.time * 1_000_000
        return answer

    def lend(self, answer: RecordArray) -> None:
        """Lend an ANSWER to the hot thread, which says when it has taken it."""
        address = address_of(answer)
        self.lent[address] = answer
        if not self.to_hot.send(Letter(Subject.RESOLVED, address)):
            raise NotReconciled("the hot thread does not take its letters")

    def close(self) -> None:
        """Release the connection."""
        if self.link is not None:
            self.link.close()
            self.link = None
