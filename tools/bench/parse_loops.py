"""The compiled loop of the benchmark ``parse``: decode into a ring, read it, sum every field."""

from enum import IntEnum

from ipc import ring
from ipc.compiled import compiled
from ipc.memory import load_byte, load_word, record_at, store_word
from vortex.codes import Kind
from vortex.records import DEPTH, LEVELS, TICKER, TRADE
from vortex.venues._binance.market_decoder import decode_market
from vortex.venues._bybit.market_messages import decode_market as decode_bybit_market

DEPTH_DTYPE, LEVELS_DTYPE = DEPTH.dtype, LEVELS.dtype
TICKER_DTYPE, TRADE_DTYPE = TICKER.dtype, TRADE.dtype
NS_PER_MS = 1_000_000


class Sum(IntEnum):
    """What is summed over all records; times in ms, so that no sum overflows."""

    TICKER_UPDATE_ID = 0
    TICKER_BID_TICKS = 1
    TICKER_BID_LOTS = 2
    TICKER_ASK_TICKS = 3
    TICKER_ASK_LOTS = 4
    TRADE_ID = 5
    TRADE_TICKS = 6
    TRADE_LOTS = 7
    TRADE_SIDE = 8
    TRADE_MS = 9
    DEPTH_FIRST_ID = 10
    DEPTH_LAST_ID = 11
    DEPTH_MS = 12
    BID_COUNT = 13
    BID_TICKS = 14
    BID_LOTS = 15
    ASK_COUNT = 16
    ASK_TICKS = 17
    ASK_LOTS = 18


@compiled
def add_to(sums_address: int, index: int, number: int) -> None:
    """Add to one sum."""
    store_word(sums_address + 8 * index, load_word(sums_address + 8 * index) + number)


@compiled
def sum_ticker(address: int, sums_address: int) -> None:
    """Add the fields of a TICKER."""
    ticker = record_at(address, TICKER_DTYPE)
    add_to(sums_address, Sum.TICKER_UPDATE_ID, ticker.update_id)
    add_to(sums_address, Sum.TICKER_BID_TICKS, ticker.bid_ticks)
    add_to(sums_address, Sum.TICKER_BID_LOTS, ticker.bid_lots)
    add_to(sums_address, Sum.TICKER_ASK_TICKS, ticker.ask_ticks)
    add_to(sums_address, Sum.TICKER_ASK_LOTS, ticker.ask_lots)


@compiled
def sum_trade(address: int, sums_address: int) -> None:
    """Add the fields of a TRADE."""
    trade = record_at(address, TRADE_DTYPE)
    add_to(sums_address, Sum.TRADE_ID, trade.trade_id)
    add_to(sums_address, Sum.TRADE_TICKS, trade.price_ticks)
    add_to(sums_address, Sum.TRADE_LOTS, trade.qty_lots)
    add_to(sums_address, Sum.TRADE_SIDE, trade.aggressor_side)
    add_to(sums_address, Sum.TRADE_MS, trade.venue_ns // NS_PER_MS)


@compiled
def sum_depth(address: int, sums_address: int) -> None:
    """Add the fields of a DEPTH head."""
    depth = record_at(address, DEPTH_DTYPE)
    add_to(sums_address, Sum.DEPTH_FIRST_ID, depth.first_update_id)
    add_to(sums_address, Sum.DEPTH_LAST_ID, depth.last_update_id)
    add_to(sums_address, Sum.DEPTH_MS, depth.venue_ns // NS_PER_MS)


@compiled
def sum_levels(address: int, sums_address: int, first_sum_index: int) -> None:
    """Add the levels of one side; ``first_sum_index`` is BID_COUNT or ASK_COUNT."""
    levels = record_at(address, LEVELS_DTYPE)
    ticks, lots = 0, 0
    for index in range(levels.level_count):
        ticks += levels.price_ticks[index]
        lots += levels.qty_lots[index]
    add_to(sums_address, first_sum_index, levels.level_count)
    add_to(sums_address, first_sum_index + 1, ticks)
    add_to(sums_address, first_sum_index + 2, lots)


@compiled
def read_records(reader_address: int, sums_address: int) -> None:
    """Take everything that waits on the ring."""
    count = ring.ready_count(reader_address)
    for index in range(count):
        address = ring.slot(reader_address, index)
        kind = load_byte(address)
        if kind == Kind.TICKER:
            sum_ticker(address, sums_address)
        elif kind == Kind.TRADE:
            sum_trade(address, sums_address)
        elif kind == Kind.BIDS:
            sum_levels(address, sums_address, Sum.BID_COUNT)
        elif kind == Kind.ASKS:
            sum_levels(address, sums_address, Sum.ASK_COUNT)
        else:
            sum_depth(address, sums_address)
    ring.consume(reader_address, count)


@compiled
def pass_on(
    count: int, index: int, writer_address: int, reader_address: int, sums_address: int
) -> int:
    """Publish what was decoded and read it again; return 1 for a frame that was refused."""
    if count < 0:
        return 1
    ring.append(writer_address, count)
    ring.commit(writer_address, index)
    read_records(reader_address, sums_address)
    return 0


@compiled
def parse_all(
    frames_address: int,
    frame_count: int,
    catalog_address: int,
    writer_address: int,
    reader_address: int,
    message_count_max: int,
    sums_address: int,
) -> int:
    """Decode every frame into the ring and read it again; return how many were refused.

    ``frames_address`` holds two words a frame: its address and its bytes.
    """
    refused_count = 0
    for index in range(frame_count):
        entry = frames_address + 16 * index
        slot = ring.claim(writer_address)
        assert slot != 0, "the reader empties the ring after each message"
        count = decode_market(
            load_word(entry), load_word(entry + 8), catalog_address, slot, message_count_max
        )
        refused_count += pass_on(count, index, writer_address, reader_address, sums_address)
    return refused_count


@compiled
def parse_all_bybit(
    frames_address: int,
    frame_count: int,
    catalog_address: int,
    writer_address: int,
    reader_address: int,
    message_count_max: int,
    sums_address: int,
) -> int:
    """Do what ``parse_all`` does, with Bybit's frames."""
    refused_count = 0
    for index in range(frame_count):
        entry = frames_address + 16 * index
        slot = ring.claim(writer_address)
        assert slot != 0, "the reader empties the ring after each message"
        count = decode_bybit_market(
            load_word(entry), load_word(entry + 8), catalog_address, slot, message_count_max
        )
        refused_count += pass_on(count, index, writer_address, reader_address, sums_address)
    return refused_count
