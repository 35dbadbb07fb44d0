"""The parts of the venue contract, for one category of Bybit's: ``linear`` or ``spot``."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ipc.types import RecordArray
from vortex.venues._bybit import channels, listings, question_replies, questions
from vortex.venues._bybit.client_ids import client_order_id
from vortex.venues._bybit.market_messages import decode_market
from vortex.venues.contract import (
    Account,
    Acknowledging,
    Asker,
    Budget,
    Chain,
    MarketData,
    OrderConnection,
    OrderEntry,
    Replacing,
    Snapshots,
)

SECOND_NS = 1_000_000_000


def market_part(category: str, read_instruments: Callable[..., RecordArray]) -> MarketData:
    """Return how the market data of a category is read."""

    def stream_path(symbols: Sequence[str]) -> str:
        return f"/v5/public/{category}"

    return MarketData(
        decode_market=decode_market,
        stream_path=stream_path,
        instruments_path=partial(listings.instruments_path, category),
        next_instruments_path=partial(listings.next_instruments_path, category),
        read_instruments=read_instruments,
        snapshots=Snapshots.PUSHED,
        chain=Chain.PREVIOUS_ID,
        opening=channels.market_opening,
        resubscribe=channels.resubscribe,
        ping=channels.PING,
        ping_every_s=channels.PING_EVERY_S,
    )


def private_topics(category: str) -> list[str]:
    """Return the topics that report our orders and our holdings."""
    topics = [f"order.{category}", f"execution.{category}", "wallet"]
    return topics if category == "spot" else [*topics, f"position.{category}"]


def orders_part(
    category: str, encode_request: Any, decode_answer: Any, orders_per_s: int
) -> OrderEntry:
    """Return how orders of a category go out and answers come in."""

    def open_requests(asker: Asker) -> list[bytes]:
        return [channels.auth_frame(asker)]

    def open_private(asker: Asker) -> list[bytes]:
        topics = channels.subscribe_frames(private_topics(category))
        return [channels.auth_frame(asker), *topics]

    def connection(
        name: str, url_key: str, opening: Callable[[Asker], list[bytes]]
    ) -> OrderConnection:
        return OrderConnection(
            name, url_key, opening, channels.check_channel_reply,
            channels.PING, channels.PING_EVERY_S,
        )  # fmt: skip

    return OrderEntry(
        connections=(
            connection("trade", "order_url", open_requests),
            connection("private", "private_url", open_private),
        ),
        encode_request=encode_request,
        decode_answer=decode_answer,
        replaces=Replacing.AMEND,
        acknowledges=Acknowledging.ACCEPTED,
        budgets=(Budget(SECOND_NS, orders_per_s, is_rolling=True),),
        can_amend=True,
    )


def account_part(category: str) -> Account:
    """Return what is asked about an account's orders, fills and holdings in a category."""
    asked = questions.Questions(category)
    holds_contracts = category != "spot"
    return Account(
        new_session=questions.new_session,
        client_order_id=client_order_id,
        time=questions.time_question,
        read_time_ms=question_replies.read_time_ms,
        state=questions.state_question,
        read_state=question_replies.read_state,
        open_orders=asked.open_orders,
        read_open_orders=question_replies.read_open_orders,
        order=asked.order,
        read_order=question_replies.read_order,
        fills=asked.fills,
        read_fills=question_replies.read_fills,
        mark_of=questions.mark_of,
        cancel_all=asked.cancel_all,
        read_cancel_all=question_replies.read_cancel_all,
        positions=asked.positions if holds_contracts else None,
        read_positions=question_replies.read_positions if holds_contracts else None,
        past_order=asked.past_order,
        next_page=question_replies.next_page,
    )
