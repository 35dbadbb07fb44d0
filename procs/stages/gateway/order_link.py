"""The main thread of the gateway: connects, reconciles, renews masking keys.

Starting and recovering are one path: cancel what is open, see that nothing is, ask about every
order whose fate is open, fetch the fills that were missed, subscribe to our events, and only then
hand the connection over.
"""

import time
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import numpy as np

from ipc.counters import read_counter
from ipc.mailbox import Letter, Mailbox
from ipc.memory import address_of
from ipc.types import RecordArray
from procs.connections.connection import Buffers
from procs.connections.handshake import HandshakeError, VenueSocket
from procs.connections.upkeep import Backoff, Need, Upkeep
from procs.plan.credentials import Credentials
from procs.stages.base.stage import Stage
from vortex import units, venues
from vortex.codes import Answer, Execution, FeeAsset, Reject, Side
from vortex.orders.order_table import is_open
from vortex.records import ANSWER
from vortex.wire.signers import signer_of

CLOSE_TRY_COUNT = 20
#: A difference of the clocks that a request can bear; the way to the venue takes as long.
CLOCK_SKEW_NS_MIN = 50_000_000


class GatewaySubject(IntEnum):
    """What the two threads of the gateway write to each other about."""

    CONNECTED = 1  # to hot: descriptor, address of its TLS record or 0
    RESOLVED = 2  # to hot: address of an ANSWER to the main thread
    ORPHANED = 3  # to hot: 1 when the supervisor died, 0 when there is one again
    DISCONNECTED = 4  # to main: descriptor, close code
    TAKEN = 5  # to main: address of the ANSWER, which may be forgotten
    CHANGED = 6  # to main: descriptor that a fresh connection took the place of
    PING = 7  # to hot: ask the peer whether it lives
    DROP = 8  # to hot: descriptor of a connection that is of no use any more
    VENUE_CLOCK = 9  # to hot: the venue's clock minus wall time, in ns
    ENDING = 10  # to main: the venue says that it will close this connection


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
        clock_counter: int,
    ) -> None:
        """``clock_counter`` is the index of the counter of requests refused for their time."""
        self.stage = stage
        self.clock_counter = int(clock_counter)  # no member of an IntEnum; see running.attend
        self.clock_count = 0
        self.account = stage.wiring.account_of(stage.role)
        self.settings = self.account.settings
        self.venue = venues.load(self.settings.venue)
        self.credentials = credentials
        self.signer = signer_of(credentials.secret)
        self.buffers = buffers
        self.positions = positions
        self.orders = orders
        self.instruments = stage.table("instruments").records
        self.to_hot, self.to_main = Mailbox(), Mailbox()
        self.balances = stage.own_table(self.account.named("balances")).records
        self.link: VenueSocket | None = None
        self.former: VenueSocket | None = None
        self.upkeep = Upkeep(stage.config.connections, buffers.record[0], stage.clock)
        self.connecting = Backoff()
        self.lent: dict[int, RecordArray] = {}
        self.was_orphan = False
        self.venue_offset_ns = 0

    def attend(self) -> bool:
        """Do what there is to do; return whether orders can be sent."""
        while (letter := self.to_main.take()) is not None:
            self.take(letter)
        if self.link is None and self.connecting.is_over() and not self.stage.leaving:
            self.connect()
        if self.link is not None:
            self.keep_up(self.link)
        self.tell_orphan()
        self.buffers.renew_keys()
        return self.link is not None

    def tell_orphan(self) -> None:
        """Tell the hot thread when the supervisor has died, and when there is one again."""
        is_orphan = self.stage.is_orphan()
        if is_orphan == self.was_orphan:
            return
        if is_orphan:
            self.stage.log.error("the supervisor died; pulling everything")
        else:
            self.stage.log.info("there is a supervisor again")
        self.to_hot.send(Letter(GatewaySubject.ORPHANED, int(is_orphan)))
        self.was_orphan = is_orphan

    def keep_up(self, link: VenueSocket) -> None:
        """Do what the open connection needs."""
        clock_count = read_counter(self.stage.counters, self.clock_counter)
        if clock_count != self.clock_count and self.connecting.is_over():
            self.clock_count = clock_count
            self.ask_venue_clock()
        need = self.upkeep.need()
        if need == Need.PING:
            self.to_hot.send(Letter(GatewaySubject.PING))
        elif need == Need.DROP:
            self.stage.log.warning("the order connection is silent, and does not answer pings")
            self.to_hot.send(Letter(GatewaySubject.DROP, link.fd))
        elif need == Need.SUCCESSOR and self.former is None and self.connecting.is_over():
            self.succeed()

    def take(self, letter: Letter) -> None:
        """Take one letter of the hot thread."""
        is_end = letter.subject == GatewaySubject.DISCONNECTED
        if is_end and self.former is not None and self.former.fd == letter.first:
            # Perhaps before the hot thread said all of what the venue answered: reconcile.
            self.close_former()
            assert self.link is not None, "a former connection has a successor"
            self.to_hot.send(Letter(GatewaySubject.DROP, self.link.fd))
        elif letter.subject == GatewaySubject.CHANGED:
            self.close_former()
        elif letter.subject == GatewaySubject.ENDING:
            self.stage.log.info("the venue announced that it will disconnect")
            self.upkeep.end_soon()
        elif is_end:
            assert self.link is not None, "only an open connection breaks"
            self.stage.log.warning("order connection lost (close code %d)", letter.second)
            self.link.close()
            self.link = None
            self.connecting.failed()
        elif letter.subject == GatewaySubject.TAKEN:
            del self.lent[letter.first]

    def close_former(self) -> None:
        """Close the connection that the hot thread let go for its successor."""
        assert self.former is not None, "only a connection with a successor is let go"
        self.former.close()
        self.former = None

    def connect(self) -> None:
        """Open the connection, reconcile and subscribe on it, and hand it to the hot thread."""
        if self.open(self.reconcile):
            self.stage.log.info("order connection to %s is up", self.settings.order_url)

    def succeed(self) -> None:
        """Open a successor of the connection in use; what stands is left standing."""
        self.former = self.link
        if self.open(self.set_venue_clock):
            self.stage.log.info("changed to a fresh order connection")
        else:
            self.former = None

    def open(self, prepare: Callable[[VenueSocket], None]) -> bool:
        """Open a connection, prepare it, subscribe to our events and hand it over."""
        try:
            link = VenueSocket(self.settings.order_url, self.stage.config.tls.ca_file)
        except HandshakeError as error:
            self.stage.log.warning("%s", error)
            self.connecting.failed()
            return False
        try:
            self.log_on(link)
            prepare(link)
            self.venue.read_subscription(link.ask(self.venue.subscribe_request(self.asker())))
        except (HandshakeError, OSError, ValueError, NotReconciled) as error:
            self.stage.log.warning("not reconciled with the venue: %s", error)
            link.close()
            self.back_off(error)
            return False
        self.connecting.reset()
        self.link = link
        self.upkeep.begin()
        self.to_hot.send(Letter(GatewaySubject.CONNECTED, *link.hand_over()))
        return True

    def log_on(self, link: VenueSocket) -> None:
        """Make the connection ours, so that nothing on it needs signing, if the key is for that."""
        if self.signer.may_log_on:
            self.set_venue_clock(link)
            self.venue.read_logon(link.ask(self.venue.logon_request(self.asker())))

    def reconcile(self, link: VenueSocket) -> None:
        """Cancel what is open, and learn what became of everything and what we own."""
        self.set_venue_clock(link)
        for instrument_id in self.account.instrument_ids:
            symbol = self.stage.config.source_symbols[instrument_id].symbol
            self.close_all_orders(link, symbol)
            self.fetch_missed_fills(link, instrument_id, symbol)
        self.resolve_orders(link)
        self.load_balances(link)

    def set_venue_clock(self, link: VenueSocket) -> None:
        """Learn how far the venue's clock is from ours: requests must carry its time."""
        asked_ns = time.time_ns()
        venue_ms = self.venue.read_time(link.ask(self.venue.time_request()))
        middle_ns = (asked_ns + time.time_ns()) // 2
        offset_ns = venue_ms * 1_000_000 - middle_ns
        if abs(offset_ns - self.venue_offset_ns) > CLOCK_SKEW_NS_MIN:
            self.stage.log.info("the venue's clock is %d ms ahead of ours", offset_ns // 1_000_000)
            self.venue_offset_ns = offset_ns
            self.to_hot.send(Letter(GatewaySubject.VENUE_CLOCK, offset_ns))

    def ask_venue_clock(self) -> None:
        """Learn the venue's clock anew, on a connection for that alone."""
        try:
            link = VenueSocket(self.settings.order_url, self.stage.config.tls.ca_file)
        except HandshakeError as error:
            self.stage.log.warning("%s", error)
            self.connecting.failed()
            return
        try:
            self.set_venue_clock(link)
        except (HandshakeError, OSError, ValueError) as error:
            self.stage.log.warning("the venue's clock is not known: %s", error)
            self.back_off(error)
        finally:
            link.close()

    def back_off(self, error: Exception) -> None:
        """Wait before the next try, and for as long as the venue wants to be left alone."""
        self.connecting.failed()
        if isinstance(error, self.venue.Refused):
            self.connecting.hold(error.wait_ms / 1000)

    def load_balances(self, link: VenueSocket) -> None:
        """Write down what we own of the assets that we trade."""
        account = self.venue.read_account(link.ask(self.venue.account_request(self.asker())))
        if not account.can_trade:
            self.stage.log.error("the venue says that this key may not trade")
        assets = {
            row[field].decode(): None
            for row in self.instruments[list(self.account.instrument_ids)]
            for field in ("base_asset", "quote_asset")
        }
        owned = {balance.asset: balance for balance in account.balances}
        for record, asset in zip(self.balances, assets, strict=False):
            record["asset"] = asset.encode()
            record["wall_ns"] = time.time_ns()
            if asset in owned:
                record["free_e8"] = units.to_e8(owned[asset].free)
                record["locked_e8"] = units.to_e8(owned[asset].locked)

    def asker(self) -> Any:
        """Return what a signed request of this moment needs."""
        wall_ms = (time.time_ns() + self.venue_offset_ns) // 1_000_000
        return self.venue.Asker(self.credentials.key, self.signer, wall_ms)

    def close_all_orders(self, link: VenueSocket, symbol: str) -> None:
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

    def resolve_orders(self, link: VenueSocket) -> None:
        """Ask what became of each order whose fate is open, and tell the hot thread."""
        epoch = int(self.stage.status_record["epoch"])
        for row in np.array(self.orders):
            if not is_open(int(row["state"])):
                continue
            instrument_id, order_id = int(row["instrument_id"]), int(row["order_id"])
            symbol = self.stage.config.source_symbols[instrument_id].symbol
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

    def fetch_missed_fills(self, link: VenueSocket, instrument_id: int, symbol: str) -> None:
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

    def begin_fills(self, link: VenueSocket, instrument_id: int, symbol: str) -> None:
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
        if not self.to_hot.send(Letter(GatewaySubject.RESOLVED, address)):
            raise NotReconciled("the hot thread does not take its letters")

    def close(self) -> None:
        """Release the connections."""
        for link in (self.link, self.former):
            if link is not None:
                link.close()
        self.link = self.former = None
