"""The main thread of the gateway: connects, reconciles, asks by REST, renews masking keys.

Starting and recovering are one path: cancel what is open, see that nothing is, ask about every
order whose end is not known, fetch the fills that were missed, subscribe to our events, and only
then hand the connections over.
"""

import time
from enum import IntEnum

import numpy as np

from ipc.counters import read_counter
from ipc.mailbox import Letter, Mailbox
from ipc.memory import address_of
from ipc.types import RecordArray
from procs.connections.connection import Buffers
from procs.connections.handshake import HandshakeError, VenueSocket
from procs.connections.http import HttpError
from procs.connections.upkeep import Backoff, Need, Upkeep
from procs.plan.config import AccountConfig
from procs.plan.credentials import Credentials
from procs.stages.base.stage import Stage
from procs.stages.gateway.account_questions import NS_PER_MS, AccountQuestions, new_answer
from vortex import units, venues
from vortex.codes import Answer
from vortex.orders.order_table import is_open
from vortex.orders.positions import knows_fills
from vortex.venues.contract import OrderConnection, Refused

CLOSE_TRY_COUNT = 20
#: A difference of the clocks that a request can bear; the way to the venue takes as long.
CLOCK_SKEW_NS_MIN = 50_000_000


class GatewaySubject(IntEnum):
    """Subjects of the letters between the two threads of the gateway."""

    CONNECTED = 1  # to hot: descriptor, address of its TLS record or 0, which connection
    RESOLVED = 2  # to hot: address of an ANSWER to the main thread
    ORPHANED = 3  # to hot: 1 when the supervisor died, 0 when there is one again
    DISCONNECTED = 4  # to main: descriptor, close code, which connection
    TAKEN = 5  # to main: address of the ANSWER, which may be forgotten
    CHANGED = 6  # to main: descriptor that a fresh connection took the place of, which connection
    PING = 7  # to hot: which connection to ping; address and bytes of the venue's own ping, or 0
    DROP = 8  # to hot: descriptor of a connection that is of no use any more
    VENUE_CLOCK = 9  # to hot: the venue's clock minus wall time, in ns
    ENDING = 10  # to main: the venue says that it will close the connection
    CANCEL_ALL = 11  # to main: instrument whose orders to cancel, by REST
    ASK_STATUS = 12  # to main: request number, order, instrument; asked by REST


class NotReconciled(Exception):
    """The venue did not confirm our orders and fills; asked again after a while."""


#: What a question may raise; the connections are opened again after a while.
FAILURES = (HandshakeError, HttpError, OSError, ValueError, NotReconciled)


class KeptConnection:
    """One connection of the account that is kept open, and its buffers."""

    def __init__(
        self, stage: Stage, settings: AccountConfig, index: int, wanted: OrderConnection
    ) -> None:
        self.index = index
        self.wanted = wanted
        self.url = url_of(settings, index, wanted)
        self.ca_file = stage.config.tls.ca_file
        self.buffers = Buffers(index, stage.intake_address)
        self.upkeep = Upkeep(
            stage.config.connections, self.buffers.record[0], stage.clock, wanted.ping_every_s
        )
        self.ping_text = np.frombuffer(wanted.ping or b"", np.uint8).copy()
        self.link: VenueSocket | None = None
        self.former: VenueSocket | None = None

    def dial(self) -> VenueSocket:
        """Open the connection; nothing is said on it."""
        return VenueSocket(self.url, self.ca_file)

    def take_over(self, link: VenueSocket) -> Letter:
        """Keep a fresh connection; return the letter that hands it to the hot thread."""
        self.link = link
        self.upkeep.begin()
        return Letter(GatewaySubject.CONNECTED, *link.hand_over(), self.index)

    def ping_letter(self) -> Letter:
        """Return the letter that asks for a ping."""
        return Letter(
            GatewaySubject.PING, self.index, address_of(self.ping_text), len(self.ping_text)
        )

    def close_former(self) -> None:
        """Close the connection that the hot thread dropped for its successor."""
        assert self.former is not None, "only a connection with a successor is dropped for it"
        self.former.close()
        self.former = None

    def close(self) -> None:
        """Release the connections."""
        for link in (self.link, self.former):
            if link is not None:
                link.close()
        self.link = self.former = None


def url_of(settings: AccountConfig, index: int, wanted: OrderConnection) -> str:
    """Return the address of one connection, from the configuration.

    Raises
    ------
    ValueError
        When the configuration does not say it.
    """
    key = "order_url" if index == 0 else wanted.url_key
    url = getattr(settings, key, None)
    if not url:
        raise ValueError(f"account {settings.name}: {settings.venue} needs {key}; write it")
    return str(url)


class OrderLink:
    """Keeps the account's connections up; ``close`` releases them."""

    def __init__(
        self,
        stage: Stage,
        credentials: Credentials,
        positions: RecordArray,
        orders: RecordArray,
        clock_counter: int,
    ) -> None:
        """``clock_counter`` is the index of the counter of requests refused for their time."""
        self.stage = stage
        self.clock_counter = int(clock_counter)  # no member of an IntEnum; see running.attend
        self.clock_count = 0
        self.account = stage.wiring.account_of(stage.role)
        settings = self.account.settings
        self.venue = venues.account_of(settings.venue)
        self.questions = AccountQuestions(settings, credentials, stage.config.tls.ca_file)
        self.positions = positions.view(np.recarray)  # as compiled functions read a record
        self.orders = orders
        self.instruments = stage.table("instruments").records
        self.to_hot, self.to_main = Mailbox(), Mailbox()
        self.balances = stage.own_table(self.account.named("balances")).records
        self.kept = [
            KeptConnection(stage, settings, index, wanted)
            for index, wanted in enumerate(venues.orders_of(settings.venue).connections)
        ]
        self.connecting = Backoff()
        self.lent: dict[int, RecordArray] = {}
        self.was_orphan = False

    @property
    def connection_addresses(self) -> list[int]:
        """Where compiled code finds each CONNECTION; valid as long as this object lives."""
        return [kept.buffers.address for kept in self.kept]

    @property
    def is_up(self) -> bool:
        """Whether every connection is open."""
        return all(kept.link is not None for kept in self.kept)

    def symbol_of(self, instrument_id: int) -> str:
        """Return the venue's symbol of an instrument."""
        return str(self.instruments[instrument_id]["symbol"].decode())

    def attend(self) -> bool:
        """Do what there is to do; return whether orders can be sent."""
        self.take_letters()
        is_down = all(kept.link is None for kept in self.kept)
        if is_down and self.connecting.is_over() and not self.stage.leaving:
            self.connect()
        if self.is_up:
            self.keep_up()
        self.report_orphan()
        for kept in self.kept:
            kept.buffers.renew_keys()
        return self.is_up

    def report_orphan(self) -> None:
        """Tell the hot thread when the supervisor has died, and when there is one again."""
        is_orphan = self.stage.is_orphan()
        if is_orphan == self.was_orphan:
            return
        if is_orphan:
            self.stage.log.error("the supervisor died; cancels everything")
        else:
            self.stage.log.info("there is a supervisor again")
        self.to_hot.send(Letter(GatewaySubject.ORPHANED, int(is_orphan)))
        self.was_orphan = is_orphan

    def keep_up(self) -> None:
        """Do what the open connections need."""
        clock_count = read_counter(self.stage.counters, self.clock_counter)
        if clock_count != self.clock_count and self.connecting.is_over():
            self.clock_count = clock_count
            self.ask_venue_clock()
        for kept in self.kept:
            need = kept.upkeep.need()
            if need == Need.PING:
                self.to_hot.send(kept.ping_letter())
            elif need == Need.DROP and kept.link is not None:
                self.stage.log.warning("the order connection is silent, and does not answer pings")
                self.to_hot.send(Letter(GatewaySubject.DROP, kept.link.fd))
            elif need == Need.SUCCESSOR and kept.former is None and self.connecting.is_over():
                self.succeed(kept)

    def take_letters(self) -> None:
        """Take all letters of the hot thread; each instrument is cancelled once."""
        to_cancel: set[int] = set()
        while (letter := self.to_main.take()) is not None:
            if letter.subject == GatewaySubject.CANCEL_ALL:
                to_cancel.add(letter.first)
            elif letter.subject == GatewaySubject.ASK_STATUS:
                self.ask_status(letter.first, letter.second, letter.third)
            elif letter.subject == GatewaySubject.DISCONNECTED:
                self.on_disconnected(self.kept[letter.third], letter.first, letter.second)
            elif letter.subject == GatewaySubject.CHANGED:
                self.kept[letter.second].close_former()
            elif letter.subject == GatewaySubject.ENDING:
                self.stage.log.info("the venue announced that it will disconnect")
                for kept in self.kept:
                    kept.upkeep.end_soon()
            elif letter.subject == GatewaySubject.TAKEN:
                del self.lent[letter.first]
        for instrument_id in sorted(to_cancel):
            self.cancel_all(instrument_id)

    def on_disconnected(self, kept: KeptConnection, fd: int, close_code: int) -> None:
        """Close a connection that the hot thread dropped; the others are dropped with it."""
        if kept.former is not None and kept.former.fd == fd:
            # The hot thread may have lost replies on it: reconcile.
            kept.close_former()
            assert kept.link is not None, "a former connection has a successor"
            self.to_hot.send(Letter(GatewaySubject.DROP, kept.link.fd))
            return
        assert kept.link is not None, "only an open connection breaks"
        self.stage.log.warning("order connection lost (close code %d)", close_code)
        kept.link.close()
        kept.link = None
        self.connecting.failed()
        for other in self.kept:
            if other.link is not None:
                self.to_hot.send(Letter(GatewaySubject.DROP, other.link.fd))

    def connect(self) -> None:
        """Open the connections, reconcile and subscribe, and hand them to the hot thread."""
        links: list[VenueSocket] = []
        try:
            for kept in self.kept:
                links.append(kept.dial())
        except HandshakeError as error:
            self.stage.log.warning("%s", error)
            self.connecting.failed()
        else:
            if self.prepare(links):
                for kept, link in zip(self.kept, links, strict=True):
                    self.to_hot.send(kept.take_over(link))
                    self.stage.log.info("order connection to %s is up", kept.url)
                return
        for link in links:
            link.close()

    def prepare(self, links: list[VenueSocket]) -> bool:
        """Reconcile and subscribe on fresh connections; return whether both succeeded.

        Where questions go over the connection of requests, they come before the subscription:
        between a question and its reply there is no event.
        """
        self.questions.link = links[0]
        try:
            self.set_venue_clock()
            if self.questions.uses_connection:
                self.reconcile()
                self.open_all(links)
            else:
                self.open_all(links)
                self.reconcile()
        except FAILURES as error:
            self.stage.log.warning("not reconciled with the venue: %s", error)
            self.back_off(error)
            return False
        finally:
            self.questions.link = None
        self.connecting.reset()
        return True

    def open_all(self, links: list[VenueSocket]) -> None:
        """Say what makes each connection ours."""
        for kept, link in zip(self.kept, links, strict=True):
            self.say_opening(kept, link)

    def say_opening(self, kept: KeptConnection, link: VenueSocket) -> None:
        """Say what makes one connection ours: who we are, and what we want to hear."""
        for frame in kept.wanted.opening(self.questions.asker()):
            kept.wanted.check_opening(link.ask(frame))

    def succeed(self, kept: KeptConnection) -> None:
        """Open a successor of a connection in use; open orders stay open."""
        try:
            link = kept.dial()
        except HandshakeError as error:
            self.stage.log.warning("%s", error)
            self.connecting.failed()
            return
        self.questions.link = link if kept.index == 0 else None
        try:
            if kept.index == 0:
                self.set_venue_clock()
            self.say_opening(kept, link)
        except FAILURES as error:
            self.stage.log.warning("no successor of the order connection: %s", error)
            link.close()
            self.back_off(error)
            return
        finally:
            self.questions.link = None
        self.connecting.reset()
        kept.former = kept.link
        self.to_hot.send(kept.take_over(link))
        self.stage.log.info("changed to a fresh order connection")

    def reconcile(self) -> None:
        """Cancel what is open, and learn what became of everything and what we own."""
        for instrument_id in self.account.instrument_ids:
            self.close_all_orders(self.symbol_of(instrument_id))
            self.fetch_missed_fills(instrument_id)
        self.resolve_orders()
        self.load_balances()

    def set_venue_clock(self) -> None:
        """Learn how far the venue's clock is from ours: requests must carry its time."""
        asked_ns = time.time_ns()
        venue_ms = self.questions.venue_ms()
        middle_ns = (asked_ns + time.time_ns()) // 2
        offset_ns = venue_ms * NS_PER_MS - middle_ns
        if abs(offset_ns - self.questions.venue_offset_ns) > CLOCK_SKEW_NS_MIN:
            self.stage.log.info("the venue's clock is %d ms ahead of ours", offset_ns // NS_PER_MS)
            self.questions.venue_offset_ns = offset_ns
            self.to_hot.send(Letter(GatewaySubject.VENUE_CLOCK, offset_ns))

    def ask_venue_clock(self) -> None:
        """Learn the venue's clock again, on a connection for that alone where it needs one."""
        link: VenueSocket | None = None
        try:
            if self.questions.uses_connection:
                link = self.questions.link = self.kept[0].dial()
            self.set_venue_clock()
        except FAILURES as error:
            self.stage.log.warning("the venue's clock is not known: %s", error)
            self.back_off(error)
        finally:
            self.questions.link = None
            if link is not None:
                link.close()

    def back_off(self, error: Exception) -> None:
        """Wait before the next try, and for as long as the venue demands."""
        self.connecting.failed()
        if isinstance(error, Refused):
            self.connecting.hold(error.wait_ms / 1000)

    def cancel_all(self, instrument_id: int) -> None:
        """Cancel all orders of an instrument by REST; the hot thread asks until none is open."""
        symbol = self.symbol_of(instrument_id)
        try:
            count = self.questions.cancel_all(symbol)
            self.stage.log.info("cancelled %d open orders of %s", count, symbol)
        except FAILURES as error:
            self.stage.log.warning("orders of %s are not cancelled: %s", symbol, error)

    def ask_status(self, request_id: int, order_id: int, instrument_id: int) -> None:
        """Ask by REST what became of an order; without a reply the hot thread asks again."""
        answer = new_answer(Answer.REPLY)
        try:
            answer = self.status_answer(instrument_id, order_id)
        except FAILURES as error:
            self.stage.log.warning("the status of order %d is not known: %s", order_id, error)
        answer["kind"], answer["request_id"] = Answer.REPLY, request_id
        self.lend(answer)

    def status_answer(self, instrument_id: int, order_id: int) -> RecordArray:
        """Return what became of an order of this life."""
        epoch = int(self.stage.status_record["epoch"])
        text = self.venue.client_order_id(self.stage.launch.run_id, epoch, order_id)
        return self.questions.status_answer(self.instruments[instrument_id], text)

    def load_balances(self) -> None:
        """Write down what we own of the assets that we trade, and what we hold of each market."""
        account = self.questions.state()
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
                record["free_e8"] = units.to_e8_floor(owned[asset].free)
                record["locked_e8"] = units.to_e8_floor(owned[asset].locked)
        for instrument_id in self.account.instrument_ids:
            self.lend(self.questions.held_answer(self.instruments[instrument_id], account))

    def close_all_orders(self, symbol: str) -> None:
        """Cancel everything that is open on one symbol and see that nothing is.

        Raises
        ------
        NotReconciled
            When something is still open after several tries.
        """
        for _ in range(CLOSE_TRY_COUNT):
            if not self.questions.open_count(symbol):
                return
            count = self.questions.cancel_all(symbol)
            self.stage.log.info("cancelled %d open orders of %s", count, symbol)
        raise NotReconciled(f"orders of {symbol} are still open after cancel-all")

    def resolve_orders(self) -> None:
        """Ask what became of each order that may be open, and pass it to the hot thread."""
        for row in np.array(self.orders):
            if not is_open(int(row["state"])):
                continue
            answer = self.status_answer(int(row["instrument_id"]), int(row["order_id"]))
            answer["order_id"] = row["order_id"]
            self.lend(answer)

    def fetch_missed_fills(self, instrument_id: int) -> None:
        """Fetch the fills that were reported while no connection was open.

        A run begins without open orders, so at its first connection all fills are of the past.
        """
        instrument, position = self.instruments[instrument_id], self.positions[instrument_id]
        if not knows_fills(position):
            self.lend(self.questions.newest_fill_answer(instrument))
            return
        for answer in self.questions.fill_answers(instrument, position):
            self.lend(answer)

    def lend(self, answer: RecordArray) -> None:
        """Lend an ANSWER to the hot thread, which says when it has taken it."""
        address = address_of(answer)
        self.lent[address] = answer
        if not self.to_hot.send(Letter(GatewaySubject.RESOLVED, address)):
            raise NotReconciled("the hot thread does not take its letters")

    def close(self) -> None:
        """Release the connections."""
        for kept in self.kept:
            kept.close()
