"""Questions about the account: where they go, and what their replies become."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from builders import record_of
from hypothesis import given
from hypothesis import strategies as st

from procs.connections import http
from procs.connections.handshake import HandshakeError
from procs.connections.http import HttpError
from procs.plan.credentials import Credentials
from procs.stages.gateway import account_questions
from procs.stages.gateway.account_questions import AccountQuestions, as_words, trade_id_of
from vortex.codes import Answer, Execution, FeeAsset, InstrumentKind, OrderState, Reject, Side
from vortex.records import INSTRUMENT, POSITION
from vortex.venues.contract import (
    AccountFill,
    AccountState,
    Ask,
    AssetBalance,
    HeldPosition,
    OrderStatus,
    Refused,
    Transport,
)

SETTINGS = SimpleNamespace(venue="binance_spot", rest_url="http://x", recv_window_ms=5000)
ROW = {
    "instrument_kind": InstrumentKind.SPOT,
    "tick_e8": 10**6,
    "lot_e8": 10**3,
    "base_asset": b"BTC",
    "quote_asset": b"USDT",
}


def instrument() -> Any:
    """Return BTCUSDT as the second instrument."""
    return record_of(INSTRUMENT, symbol=b"BTCUSDT", instrument_id=1, **ROW)[0]


def fill(number: int, time_ms: int = 5) -> AccountFill:
    """Return one fill."""
    return AccountFill(
        "BTCUSDT", number, "", Side.SELL, "100.01", "0.00002", "-0.000000011", "USDT", time_ms,
        is_maker=True,
    )  # fmt: skip


class Venue:
    """An account that answers from lists, by REST; questions are their own text."""

    def __init__(self) -> None:
        self.fills_left: list[list[AccountFill]] = []
        self.statuses: list[Any] = []
        self.asked: list[str] = []
        self.past_order: Any = None
        self.held: list[HeldPosition] = []
        self.next_page: Any = None

    def time(self) -> Ask:
        return Ask(Transport.REST, path="time")

    def fills(self, _: Any, symbol: str, since: str) -> Ask:
        return Ask(Transport.REST, path=f"fills {symbol} {since}")

    def read_fills(self, _: bytes) -> list[AccountFill]:
        return self.fills_left.pop(0)

    def mark_of(self, one: AccountFill) -> str:
        return str(one.time_ms)

    def order(self, _: Any, symbol: str, name: str) -> Ask:
        return Ask(Transport.REST, path=f"order {symbol} {name}")

    def positions(self, _: Any, symbol: str) -> Ask:
        return Ask(Transport.REST, path=f"positions {symbol}")

    def read_positions(self, _: bytes) -> list[HeldPosition]:
        return self.held

    def read_order(self, _: bytes) -> OrderStatus:
        found = self.statuses.pop(0)
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, OrderStatus)
        return found


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> tuple[AccountQuestions, Venue]:
    """Return questions to a venue of lists."""
    questions = AccountQuestions(SETTINGS, Credentials("key", b"secret"), None)
    venue = Venue()
    questions.venue = venue  # type: ignore[assignment]

    def request(method: str, url: str, path: str, *_: Any) -> bytes:
        venue.asked.append(path)
        return b"{}"

    monkeypatch.setattr(http, "request", request)
    return questions, venue


@given(st.one_of(st.just(-1), st.integers(0, 2**64 - 2), st.integers(2**64, 2**128 - 1)))
def test_an_id_of_128_bits_is_two_words(trade_id: int) -> None:
    high, low = as_words(trade_id)
    assert trade_id_of(int(np.int64(high)), int(np.int64(low))) == trade_id


def test_missed_fills_are_fetched_from_the_newest_on_until_there_are_no_more(asking: Any) -> None:
    questions, venue = asking
    position = record_of(POSITION, last_trade_id_high=1, last_trade_id=2, last_fill_ms=5)[0]
    venue.fills_left = [[fill(2**64 + 2), fill(7, 5), fill(8, 9)], [fill(8, 9)]]
    answers = questions.fill_answers(instrument(), position)
    assert venue.asked == ["fills BTCUSDT 5", "fills BTCUSDT 9"]
    assert [int(answer["trade_id"][0]) for answer in answers] == [2, 7, 8, 8]
    row = answers[0][0]
    assert (row["kind"], row["execution"]) == (Answer.EXECUTION, Execution.TRADE)
    assert (row["trade_id_high"], row["instrument_id"], row["side"]) == (1, 1, Side.SELL)
    assert (row["fill_ticks"], row["fill_lots"], row["is_maker"]) == (10_001, 2, 1)
    assert (row["fee_e8"], row["fee_asset"]) == (-1, FeeAsset.QUOTE), "rounded against us"
    assert row["venue_ns"] == 5_000_000


def test_pages_are_read_to_the_last_and_put_in_order(asking: Any) -> None:
    questions, venue = asking
    position = record_of(POSITION, last_trade_id=1, last_fill_ms=5)[0]
    cursors = ["p2", "p3", "", ""]
    venue.fills_left = [[fill(6, 8), fill(7, 9)], [fill(4, 7)], [fill(2, 5)], [fill(7, 9)]]
    venue.next_page = lambda _, ask, __: (
        ask._replace(path=f"fills {cursor}") if (cursor := cursors.pop(0)) else None
    )
    answers = questions.fill_answers(instrument(), position)
    assert [int(answer["trade_id"][0]) for answer in answers] == [2, 4, 6, 7, 7]
    assert venue.asked == ["fills BTCUSDT 5", "fills p2", "fills p3", "fills BTCUSDT 9"]


def test_pages_without_end_are_an_error(asking: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same page again, ever more pages, pages that take too long."""
    questions, venue = asking
    ask = Ask(Transport.REST, path="list?a")
    venue.next_page = lambda *_: ask
    with pytest.raises(ValueError, match="list: the venue names the same page again"):
        list(questions.pages(ask))
    venue.next_page = lambda *_: ask._replace(path=f"list?{len(venue.asked)}")
    with pytest.raises(ValueError, match="list: more than 200 pages"):
        list(questions.pages(ask))
    monkeypatch.setattr(account_questions, "PAGES_S_MAX", -1.0)
    with pytest.raises(ValueError, match="list: 1 pages took"):
        list(questions.pages(ask))


@pytest.mark.parametrize("has_fills", [True, False])
def test_a_run_begins_after_the_newest_fill(asking: Any, has_fills: bool) -> None:
    questions, venue = asking
    venue.fills_left = [[fill(2**64 + 2, 77)] if has_fills else []]
    row = questions.newest_fill_answer(instrument())[0]
    assert venue.asked == ["fills BTCUSDT "]
    assert row["kind"] == Answer.SINCE
    assert (row["trade_id_high"], row["trade_id"]) == ((1, 2) if has_fills else (0, -1))
    assert row["venue_ns"] == 77_000_000 if has_fills else row["venue_ns"] > 10**18


def status(state: OrderState) -> OrderStatus:
    """Return the status of an order of ours."""
    return OrderStatus("BTCUSDT", "1", "c", state, Side.BUY, "100.01", "0.00005", "0.00002")


def test_the_status_of_an_order_is_an_answer(asking: Any) -> None:
    questions, venue = asking
    venue.statuses = [status(OrderState.CANCELED)]
    row = questions.status_answer(instrument(), "c")[0]
    assert venue.asked == ["order BTCUSDT c"]
    names = ("state", "price_ticks", "qty_lots", "filled_lots", "reject")
    assert [row[name] for name in names] == [OrderState.CANCELED, 10_001, 5, 2, Reject.NONE]


def test_an_order_that_ended_long_ago_is_asked_for_where_it_is_kept(asking: Any) -> None:
    questions, venue = asking
    gone = Refused(1, "no such order", is_unknown_order=True)
    venue.statuses = [gone, status(OrderState.FILLED)]
    venue.past_order = lambda *_: Ask(Transport.REST, path="past")
    assert questions.status_answer(instrument(), "c")[0]["state"] == OrderState.FILLED
    assert venue.asked == ["order BTCUSDT c", "past"]
    venue.statuses = [gone, gone]
    row = questions.status_answer(instrument(), "c")[0]
    assert (row["state"], row["reject"]) == (0, Reject.VENUE_UNKNOWN_ORDER)
    venue.statuses = [Refused(2, "busy")]
    with pytest.raises(Refused, match="busy"):
        questions.status_answer(instrument(), "c")


def test_a_refusal_of_http_is_read_as_a_reply(asking: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    questions, _ = asking
    errors = [HttpError("x", 400, b'{"code": 1}'), HttpError("x", 502, b"<html>")]
    errors.append(HttpError("x", 429, b"{}", 9))

    def refuse(*_: Any) -> bytes:
        raise errors.pop(0)

    monkeypatch.setattr(account_questions.http, "request", refuse)
    ask = Ask(Transport.REST, method="POST", path="p")
    assert questions.reply(ask) == b'{"code": 1}'
    with pytest.raises(HttpError):
        questions.reply(ask)
    with pytest.raises(Refused) as caught:
        questions.reply(ask)
    assert caught.value.wait_ms == 9_000


def test_a_question_for_a_connection_needs_one() -> None:
    questions = AccountQuestions(SETTINGS, Credentials("key", b"secret"), None)
    assert questions.uses_connection
    with pytest.raises(HandshakeError, match="no connection"):
        questions.venue_ms()


BALANCES = (
    AssetBalance("USDT", "900.5", "1"),
    AssetBalance("BTC", "0.123456789", "0.5"),
    AssetBalance("BNB", "7", "0"),
)


@pytest.mark.parametrize("balances", [BALANCES, BALANCES[:1]])
def test_of_a_spot_market_the_base_asset_is_held(
    asking: Any, balances: tuple[AssetBalance, ...]
) -> None:
    questions, venue = asking
    row = questions.held_answer(instrument(), AccountState(balances))[0]
    assert (row["kind"], row["instrument_id"]) == (Answer.HELD, 1)
    assert row["held_e8"] == (62_345_678 if len(balances) > 1 else 0)
    assert not venue.asked


@pytest.mark.parametrize(("qty", "held_e8"), [("-0.25", -25_000_000), ("3", 3 * 10**8), (None, 0)])
def test_of_a_contract_the_position_is_held(asking: Any, qty: str | None, held_e8: int) -> None:
    questions, venue = asking
    contract = instrument()
    contract["instrument_kind"] = InstrumentKind.LINEAR
    other = HeldPosition("ETHUSDT", "9", "1")
    venue.held = [other, HeldPosition("BTCUSDT", qty, "1")] if qty else [other]
    row = questions.held_answer(contract, AccountState(BALANCES))[0]
    assert row["held_e8"] == held_e8
    assert venue.asked == ["positions BTCUSDT"]
