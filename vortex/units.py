"""Decimal text to whole ticks and lots and back: exact, cold, the rounding in the name.

One *e8* is 1e-8 of an asset, the finest step that the venues write.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation

INT64_MAX = 2**63 - 1
DECIMALS = 8

# Wide enough for anything that fits 63 bits, and for the products that are then refused.
_EXACT = Context(prec=60)


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise ValueError(f"{text!r} is no decimal number: write digits, such as 0.01")
    return value


def to_e8(text: str) -> int:
    """Return decimal ``text`` in units of 1e-8.

    Raises
    ------
    ValueError
        When it is no finite decimal, is finer than 1e-8 or does not fit 63 bits.
    """
    value = _decimal(text)
    if value and value.adjusted() > DECIMALS + 20:
        raise ValueError(f"{text} does not fit 63 bits at 8 decimals: give a smaller number")
    scaled = _EXACT.scaleb(value, DECIMALS)
    if scaled != scaled.to_integral_value(context=_EXACT):
        raise ValueError(f"{text} is finer than 1e-8: give at most 8 decimals")
    result = int(scaled)
    if abs(result) > INT64_MAX:
        raise ValueError(f"{text} does not fit 63 bits at 8 decimals: give a smaller number")
    return result


def units_exact(value_e8: int, unit_e8: int) -> int:
    """Return how many ticks or lots of ``unit_e8`` make ``value_e8``.

    Raises
    ------
    ValueError
        When it is not a whole number of them.
    """
    count, rest = divmod(value_e8, unit_e8)
    if rest:
        value, unit = format_e8(value_e8), format_e8(unit_e8)
        raise ValueError(f"{value} is not a multiple of {unit}: round it to the instrument's step")
    return count


def price_to_ticks_exact(price: str, tick_e8: int) -> int:
    """Return decimal ``price`` in ticks; refuse one that lies between two ticks."""
    return units_exact(to_e8(price), tick_e8)


def price_to_ticks_down(price: str, tick_e8: int) -> int:
    """Return the highest tick that is not above decimal ``price``."""
    return _round(price, tick_e8, ROUND_FLOOR)


def price_to_ticks_up(price: str, tick_e8: int) -> int:
    """Return the lowest tick that is not below decimal ``price``."""
    return _round(price, tick_e8, ROUND_CEILING)


def _round(price: str, tick_e8: int, rounding: str) -> int:
    value = _decimal(price)
    if value and value.adjusted() > DECIMALS + 20:
        raise ValueError(f"{price} does not fit 63 bits at 8 decimals: give a smaller number")
    # Rounded to an integral e8 first in the same direction, so that the division below is exact
    # integer arithmetic however many decimals the text has.
    wide = Context(prec=max(60, len(value.as_tuple().digits) + 40))
    value_e8 = int(wide.scaleb(value, DECIMALS).to_integral_value(rounding, wide))
    return value_e8 // tick_e8 if rounding == ROUND_FLOOR else -(-value_e8 // tick_e8)


def format_e8(value_e8: int) -> str:
    """Return ``value_e8`` as decimal text with 8 places, as venues write it."""
    sign = "-" if value_e8 < 0 else ""
    whole, rest = divmod(abs(value_e8), 10**DECIMALS)
    return f"{sign}{whole}.{rest:08d}"
