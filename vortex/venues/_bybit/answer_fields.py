"""Fields that Bybit's replies and rows have in common, from their text."""

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word, record_at, zero_bytes
from ipc.types import Record
from vortex.codes import Refusal, Side
from vortex.decoding.levels import read_lots, read_ticks
from vortex.decoding.tick_division import Steps
from vortex.records import ANSWER
from vortex.venues._bybit.client_ids import ORDER_LETTER, parse_client_id
from vortex.venues._bybit.trade_identity import read_trade_id
from vortex.venues._bybit.usual_heads import to_nanoseconds_of
from vortex.wire.scan import QUOTE, plain_integer, read_e8, read_integer, read_string, text_words
from vortex.wire.words import words_of

ANSWER_DTYPE = ANSWER.dtype
ANSWER_BYTES = ANSWER.dtype.itemsize
INT64_MAX = 2**63 - 1
OFF_TICK = int(Refusal.OFF_TICK)
FEE_DECIMALS = 8

_BUY, _SELL = words_of(b"Buy"), words_of(b"Sell")


@compiled
def begin_answer(address: int, kind: int) -> Record:
    """Write an ANSWER that says nothing yet; return it."""
    zero_bytes(address, ANSWER_BYTES)
    answer = record_at(address, ANSWER_DTYPE)
    answer.kind = kind
    answer.instrument_id = -1
    answer.trade_id = -1
    answer.order_count_10s = -1
    answer.limit_left_count = -1
    return answer


@compiled
def is_given(address: int) -> bool:
    """Return whether there is a value that is not the empty string."""
    return address != 0 and load_word(address) & 0xFFFF != 0x2222


@compiled
def words_given(address: int, end_address: int) -> tuple[int, int, int]:
    """Return the string value at ``address`` as words; three zeros for none."""
    if address == 0:
        return 0, 0, 0
    text, text_bytes = read_string(address, end_address)
    if text_bytes < 0:
        return 0, 0, 0
    return text_words(text, text_bytes)


@compiled
def number_given(address: int, end_address: int, absent_number: int) -> int:
    """Return the integer at ``address``, in quotes or not; ``absent_number`` when there is none."""
    if address == 0:
        return absent_number
    if load_byte(address) != QUOTE:
        value, refusal = read_integer(address, end_address)
        return value if refusal == 0 else absent_number
    value, after = plain_integer(address + 1)
    return (
        value if value >= 0 and after < end_address and load_byte(after) == QUOTE else absent_number
    )


@compiled
def nanoseconds_given(address: int, end_address: int) -> int:
    """Return the time in ms at ``address`` in ns, 0 when there is none."""
    return max(0, to_nanoseconds_of(number_given(address, end_address, 0)))


@compiled
def ticks_given(address: int, end_address: int, steps: Steps) -> int:
    """Return the price at ``address``, 0 when there is none; negative is a Refusal."""
    return read_ticks(address, end_address, steps) if is_given(address) else 0


@compiled
def lots_given(address: int, end_address: int, steps: Steps) -> int:
    """Return the quantity at ``address``, 0 when there is none; negative is a Refusal."""
    return read_lots(address, end_address, steps) if is_given(address) else 0


@compiled
def side_given(address: int, end_address: int) -> int:
    """Return codes.Side of the string at ``address``, 0 when there is none."""
    name = words_given(address, end_address)
    if name == _BUY:
        return Side.BUY
    return Side.SELL if name == _SELL else 0


@compiled
def order_given(address: int, end_address: int, session: Record) -> int:
    """Return our number of the order with the id at ``address``; 0 when it is not ours."""
    if address == 0:
        return 0
    text, text_bytes = read_string(address, end_address)
    return parse_client_id(session, ORDER_LETTER, text, text_bytes) if text_bytes > 0 else 0


@compiled
def venue_order_given(address: int, end_address: int) -> int:
    """Return the venue's number of an order, of a UUID the lower 63 bits; 0 for none."""
    if address == 0:
        return 0
    text, text_bytes = read_string(address, end_address)
    if text_bytes <= 0:
        return 0
    _, low, refusal = read_trade_id(text, text_bytes)
    return low & INT64_MAX if refusal == 0 else 0


@compiled
def _end_of_decimals(address: int, end_address: int) -> int:
    """Return the address of the ninth digit behind the point of a text, or ``end_address``."""
    while address < end_address and load_byte(address) != 46:
        address += 1
    return min(end_address, address + 1 + FEE_DECIMALS)


@compiled
def fee_given(address: int, end_address: int) -> tuple[int, int]:
    """Return the commission at ``address`` in 1e-8, and 0 or a Refusal; negative is a rebate.

    The venue writes more than 8 decimals at times: a fee is rounded up, a rebate down.
    """
    if not is_given(address):
        return 0, 0
    value_e8, refusal = read_e8(address, end_address)
    if refusal != OFF_TICK or load_byte(address) != QUOTE:
        return value_e8, refusal
    text, text_bytes = read_string(address, end_address)
    value_e8, refusal = read_e8(text, _end_of_decimals(text, text + text_bytes))
    is_rebate = load_byte(text) == 45
    return (value_e8 if is_rebate else value_e8 + 1), refusal
