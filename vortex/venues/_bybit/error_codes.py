"""Bybit's codes for what went wrong, as ``codes.Reject``.

The texts of the venue differ from its documents: only the code counts.

*Source:* Bybit v5 API documentation, "Error Codes"; "Enums Definitions": ``rejectReason``.
"""

from ipc.compiled import compiled
from vortex.codes import Reject
from vortex.wire.scan import read_string, text_words
from vortex.wire.words import words_of

#: The matching engine restarts: no more requests on this connection; others are not affected.
RESTARTING = 10019
OK = 0

#: Behind ``EC_``, cut to 24 characters.
_NO_ERROR = words_of(b"NoError")
_BY_REQUEST = words_of(b"PerCancelRequest")
_WOULD_TAKE = words_of(b"PostOnlyWillTakeLiquidit")
_NOTHING_TO_HIT = words_of(b"NoImmediateQtyToFill")
_NOT_WHOLE = words_of(b"CancelForNoFullFill")
_NO_ORDER = words_of(b"OrigClOrdIDDoesNotExist")
_TOO_LATE, _NOT_FOUND = words_of(b"TooLateToCancel"), words_of(b"UnknownOrder")
_PRICE_LIMIT = words_of(b"ReachMarketPriceLimit")
_PREFIX_BYTES = len("EC_")


@compiled
def _is_throttle(code: int) -> bool:
    return (
        code == 10006
        or code == 10403
        or code == 10429
        or code == 20003
        or code == 170005
        or code == 170222
    )


@compiled
def _is_no_order(code: int) -> bool:
    return (
        code == 110001
        or code == 110008
        or code == 110010
        or code == 170139
        or code == 170142
        or code == 170143
        or code == 170190
        or code == 170213
    )


@compiled
def _is_balance(code: int) -> bool:
    return (
        code == 110004
        or code == 110007
        or code == 110012
        or code == 110045
        or code == 170033
        or code == 170131
    )


@compiled
def _is_filter(code: int) -> bool:
    """Return whether a price or a quantity was outside what the venue takes."""
    return (
        code == 110003
        or code == 110094
        or code == 30208
        or code == 30209
        or 170132 <= code <= 170134
        or 170136 <= code <= 170137
        or code == 170140
        or 170193 <= code <= 170194
        or 170371 <= code <= 170372
        or 170381 <= code <= 170382
    )


@compiled
def _is_signature(code: int) -> bool:
    return (
        10003 <= code <= 10005 or code == 10007 or code == 10010 or code == 20001 or code == 33004
    )


@compiled
def reject_of_code(code: int) -> int:
    """Return codes.Reject of the venue's ``retCode``."""
    if code == OK:
        return Reject.NONE
    if _is_throttle(code):
        return Reject.VENUE_THROTTLED
    if _is_no_order(code):
        return Reject.VENUE_UNKNOWN_ORDER
    if code == 170217 or code == 170218:
        return Reject.VENUE_WOULD_TAKE
    if _is_balance(code):
        return Reject.VENUE_BALANCE
    if _is_filter(code):
        return Reject.VENUE_FILTER
    if code == 10002 or code == -1:
        return Reject.VENUE_CLOCK
    return Reject.VENUE_SIGNATURE if _is_signature(code) else Reject.VENUE_OTHER


@compiled
def is_fate_unknown(code: int) -> bool:
    """Return whether the venue itself does not know what became of the request."""
    return (
        code == 10000
        or code == 10016
        or code == 170007
        or code == 170032
        or code == 170146
        or code == 170147
    )


@compiled
def reject_of_reason(address: int, end_address: int) -> int:
    """Return codes.Reject of the ``rejectReason`` at ``address``; NONE for none."""
    if address == 0:
        return Reject.NONE
    text, text_bytes = read_string(address, end_address)
    if text_bytes <= _PREFIX_BYTES:
        return Reject.NONE
    name = text_words(text + _PREFIX_BYTES, min(text_bytes - _PREFIX_BYTES, 24))
    if name == _WOULD_TAKE:
        return Reject.VENUE_WOULD_TAKE
    if name == _NO_ORDER or name == _TOO_LATE or name == _NOT_FOUND:
        return Reject.VENUE_UNKNOWN_ORDER
    if name == _PRICE_LIMIT:
        return Reject.VENUE_FILTER
    # Nothing to hit, not whole: the order asked for this; the row's state says so.
    if name == _NO_ERROR or name == _BY_REQUEST or name == _NOTHING_TO_HIT or name == _NOT_WHOLE:
        return Reject.NONE
    return Reject.VENUE_OTHER
