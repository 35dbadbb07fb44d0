"""Positions: each fill once, and sums equal to those of exact decimals and fractions."""

from decimal import Decimal
from fractions import Fraction

from builders import record_of
from hypothesis import given, settings
from hypothesis import strategies as st
from order_side import row_of, zeros
from scale import compiled_only

from ipc.memory import address_of
from vortex.codes import FeeAsset, Side
from vortex.orders import positions
from vortex.records import ANSWER, INSTRUMENT, POSITION, SEEN_FILL_COUNT, SEEN_FILLS

fills = st.lists(
    st.tuples(
        st.integers(1, 3),  # how far the trade's number is from the last one
        st.sampled_from(list(Side)),
        st.integers(1, 10**8),
        st.integers(1, 10**6),
        st.integers(0, 10**10),
        st.sampled_from(list(FeeAsset)),
    ),
    max_size=20,
)
TICK, LOT = Decimal("0.01"), Decimal("0.00001")
E8 = Decimal(10**8)


class Account:
    """A position and the ids of its fills, in plain memory."""

    def __init__(self):
        self.position, self.seen = zeros(POSITION), zeros(SEEN_FILLS)

    def add(self, trade_id, side, price_ticks, qty_lots, fee_e8, fee_asset, high=0, venue_ms=0):
        """Add a fill as the desk does; return whether it counted."""
        if not positions.is_new_fill(row_of(self.seen), high, trade_id):
            return False
        answer = record_of(
            ANSWER, trade_id_high=high, trade_id=trade_id, side=side, fill_ticks=price_ticks,
            fill_lots=qty_lots, fee_e8=fee_e8, fee_asset=fee_asset, venue_ns=venue_ms * 1_000_000,
        )  # fmt: skip
        positions.add_fill(address_of(self.position), row_of(self.seen), row_of(answer), 77)
        return True

    def add_id(self, high, trade_id):
        """Add a fill of one lot; return whether it counted."""
        return self.add(trade_id, Side.BUY, 1, 1, 0, FeeAsset.NONE, high)


@settings(max_examples=80, print_blob=True)
@given(fills, st.integers(1, 10**8), st.integers(1, 1_000))
def test_fills_add_up_to_exact_decimals(found, bid_ticks, spread_ticks):
    account = Account()
    held, cash, fees = Decimal(0), Decimal(0), dict.fromkeys(FeeAsset, Decimal(0))
    bought = sold = trade_id = 0
    for step, side, price_ticks, qty_lots, fee_e8, fee_asset in found:
        trade_id += step
        fill = (trade_id, side, price_ticks, qty_lots, fee_e8, fee_asset)
        assert account.add(*fill)
        assert not account.add(*fill), "reported twice, counted once"
        held += int(side) * qty_lots * LOT
        cash -= int(side) * qty_lots * LOT * price_ticks * TICK
        fees[fee_asset] += fee_e8 / E8
        bought += qty_lots if side == Side.BUY else 0
        sold += qty_lots if side == Side.SELL else 0
    row = account.position[0]
    assert row["fill_count"] == len(found)
    assert row["last_trade_id"] == trade_id
    assert (row["bought_lots"], row["sold_lots"]) == (bought, sold)
    assert int(row["base_lots"]) * LOT == held
    assert int(row["cash"]) * TICK * LOT == cash
    assert row["version"] % 2 == 0
    names = {"base": FeeAsset.BASE, "quote": FeeAsset.QUOTE, "other": FeeAsset.OTHER}
    for name, asset in names.items():
        assert int(row[f"fee_{name}_e8"]) / E8 == fees[asset]

    instrument = record_of(INSTRUMENT, tick_e8=int(TICK * E8), lot_e8=int(LOT * E8))[0]
    mid = (Fraction(bid_ticks) + Fraction(bid_ticks + spread_ticks)) / 2 * Fraction(TICK)
    profit = Fraction(cash) - Fraction(fees[FeeAsset.QUOTE])
    profit += (Fraction(held) - Fraction(fees[FeeAsset.BASE])) * mid
    found_e16 = positions.profit_e16(row, instrument, bid_ticks, bid_ticks + spread_ticks)
    assert 0 <= profit * 10**16 - found_e16 < 1, "rounded down, if at all"


@settings(max_examples=80, print_blob=True)
@given(fills, fills, st.integers(-(10**15), 10**15), st.integers(-(10**9), 10**9))
def test_what_is_held_follows_fills_and_fees_from_what_the_venue_said(
    before, after, held_e8, foreign_e8
):
    account, lot_e8 = Account(), 1_000
    address, position = address_of(account.position), row_of(account.position)
    trade_id, expected_e8 = 0, held_e8

    def add(found):
        nonlocal trade_id, expected_e8
        for step, side, price_ticks, qty_lots, fee_e8, fee_asset in found:
            trade_id += step
            account.add(trade_id, side, price_ticks, qty_lots, fee_e8, fee_asset)
            expected_e8 += side * qty_lots * lot_e8
            expected_e8 -= fee_e8 if fee_asset == FeeAsset.BASE else 0

    add(before)
    # Whatever was counted before the venue first spoke, its word is what is held.
    assert positions.set_held(address, held_e8, lot_e8) == held_e8
    expected_e8 = held_e8
    add(after)
    assert positions.held_e8(position, lot_e8) == expected_e8
    # The next word of the venue shows what others traded, and is believed.
    assert positions.set_held(address, expected_e8 + foreign_e8, lot_e8) == expected_e8
    assert positions.held_e8(position, lot_e8) == expected_e8 + foreign_e8


def test_a_round_trip_earns_the_spread_less_the_fees():
    account = Account()
    # 0.00100 at 100.00, sold at 100.50: 0.0005 earned; 0.0001 of the quote asset paid in fees.
    assert account.add(1, Side.BUY, 10_000, 100, 10_000, FeeAsset.QUOTE)
    assert account.add(2, Side.SELL, 10_050, 100, 0, FeeAsset.NONE)
    instrument = record_of(INSTRUMENT, tick_e8=10**6, lot_e8=10**3)[0]
    profit = Decimal(positions.profit_e16(account.position[0], instrument, 1, 10**9)) / 10**16
    assert profit == Decimal("0.0004"), "whatever the mid is now"


def test_profit_does_not_overflow_where_int64_would():
    row = record_of(POSITION, base_lots=2**62, cash=-(2**62))[0]
    instrument = record_of(INSTRUMENT, tick_e8=10**8, lot_e8=10**8)[0]
    assert positions.profit_e16(row, instrument, 2**40, 2**40) == (2**102 - 2**62) * 10**16


words = st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=60, print_blob=True)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=40), st.randoms())
def test_a_fill_counts_once_in_whatever_order_it_is_reported(ids, random):
    account = Account()
    reported_ids = ids + ids + ids
    random.shuffle(reported_ids)
    counted = set()
    for high, low in reported_ids:
        assert account.add_id(high, low) == ((high, low) not in counted)
        counted.add((high, low))
    assert account.position["fill_count"][0] == len(counted)


@compiled_only("as many steps as the square of the ids that are kept")
def test_the_last_ids_are_kept_and_older_ones_forgotten():
    account = Account()
    # Every id of one bucket: the chain is as long as it can be.
    ids = [(index << 32, index << 32) for index in range(1, SEEN_FILL_COUNT + 3)]
    assert all(account.add_id(high, low) for high, low in ids)
    assert not any(account.add_id(high, low) for high, low in ids[2:]), "the last ones are known"
    assert account.add_id(*ids[1])
    assert account.position["fill_count"][0] == len(ids) + 1


def test_the_newest_fill_is_the_one_that_the_venue_made_last():
    account = Account()
    for trade_id, venue_ms in ((7, 50), (5, 30), (9, 50)):
        assert account.add(trade_id, Side.BUY, 1, 1, 0, FeeAsset.NONE, 3, venue_ms)
    row = account.position[0]
    assert (row["last_trade_id_high"], row["last_trade_id"], row["last_fill_ms"]) == (3, 9, 50)
