"""Recorded minutes of a market: golden states are reached, and the ticker agrees.

The frames are decoded here, slowly, by ``json`` and ``decimal``: this tests the book alone.  One
lot is 1e-8 here, because three levels far from the touch are no multiple of the venue's own step of
1e-5 (25.42618900 at 200000, for one): resting orders may be older than the step.
"""

import json
import zlib
from decimal import Decimal

import pytest
from builders import BookBlock, diff, snapshot, ticker
from recordings import SPOT_NAME, SPOT_STATES, loaded, spot_texts

from vortex.books import book as books
from vortex.books import sync
from vortex.books.sync import Sync
from vortex.codes import Side

TICK, LOT = Decimal("0.01"), Decimal("0.00000001")
TOP_LEVELS = 20


def whole(text, unit):
    count = Decimal(text) / unit
    assert count == int(count)
    return int(count)


def level(pair):
    return whole(pair[0], TICK), whole(pair[1], LOT)


def wire(pair):
    return f"{pair[0] * TICK:.8f}:{pair[1] * LOT:.8f}"


def messages_of(recordings):
    """Yield (kind, message) of every frame that concerns the book."""
    for text in spot_texts(recordings):
        frame = json.loads(text)
        data = frame.get("data", frame)
        if "lastUpdateId" in data:
            sides = [[level(pair) for pair in data[key]] for key in ("bids", "asks")]
            yield "snapshot", snapshot(data["lastUpdateId"], *sides)
        elif data.get("e") == "depthUpdate":
            sides = [[level(pair) for pair in data[key]] for key in ("b", "a")]
            yield "diff", diff(data["U"], data["u"], *sides)
        elif "e" not in data:
            touch = [level((data[key], data[key.upper()])) for key in ("b", "a")]
            yield "ticker", ticker(data["u"], *touch)


def state_of(block):
    """Return the book as the golden file tells it."""
    sides = []
    for side in (Side.BUY, Side.SELL):
        count = min(TOP_LEVELS, books.level_count(block.address, side))
        sides.append(
            [
                (
                    books.level_ticks(block.address, side, index),
                    books.level_lots(block.address, side, index),
                )
                for index in range(count)
            ]
        )
    text = "|".join(map(wire, sides[0])) + "#" + "|".join(map(wire, sides[1]))
    return {
        "bid": wire(sides[0][0]).split(":"),
        "ask": wire(sides[1][0]).split(":"),
        "nb": books.level_count(block.address, Side.BUY),
        "na": books.level_count(block.address, Side.SELL),
        "crc20": zlib.crc32(text.encode()),
    }


@pytest.fixture(scope="module")
def replayed(recordings):
    """Replay the capture; return what it showed on the way, and the header at its end."""
    golden = loaded(recordings / SPOT_STATES)[SPOT_NAME]
    wanted_ids = {point["u"] for point in golden["checkpoints"]} | {golden["final"]["u"]}
    block = BookBlock(level_capacity=4096, pending_capacity=4096)
    offset = (block.address - block.array.ctypes.data) // 8
    header = block.array[offset : offset + books.BOOK_BYTES // 8].view(books.BOOK_DTYPE)[0]
    seen, codes = {}, []
    for kind, message in messages_of(recordings):
        code = sync.on_message(block.address, message.address)
        codes.append((kind, code))
        if header["update_id"] in wanted_ids and code in (Sync.UPDATED, Sync.WENT_LIVE):
            seen[int(header["update_id"])] = state_of(block)
    return golden, seen, codes, header


def test_every_golden_state_is_reached(replayed):
    golden, seen, _, header = replayed
    for point in [*golden["checkpoints"], golden["final"]]:
        wanted = {key: point[key] for key in ("bid", "ask", "nb", "na", "crc20")}
        assert seen[point["u"]] == wanted
    assert header["update_id"] == golden["final"]["u"]
    assert header["update_count"] == golden["applied"]


def test_the_book_goes_live_once_and_stays_so(replayed):
    golden, _, codes, header = replayed
    assert header["gap_count"] == golden["gaps"] == 0
    assert header["snapshot_wanted_count"] == header["live_count"] == 1
    assert header["snapshot_stale_count"] == header["level_dropped_count"] == 0
    went_live = [index for index, (_, code) in enumerate(codes) if code == Sync.WENT_LIVE]
    assert [codes[index][0] for index in went_live] == ["snapshot"]
    later = {code for _, code in codes[went_live[0] + 1 :]}
    assert later <= {Sync.UPDATED, Sync.UNCHANGED}


def test_the_ticker_agrees_with_the_levels_wherever_both_show_one_update(replayed):
    _, _, _, header = replayed
    assert header["mismatch_count"] == 0
    assert header["agreed_count"] > header["update_count"] // 10
