"""Converts decimal text to whole ticks and lots and back: exact and cold.

One *e8* is 1e-8 of an asset, the finest step that the venues write.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation

INT64_MAX = 2**63 - 1
DECIMALS = 8

# Wide enough for any number of 63 bits, and for the larger products that are then refused.
_EXACT = Context(prec=60)


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise ValueError(f"{text!r} is not a decimal number: write digits, such as 0.01")
    return value


def to_e8(text: str) -> int:
    """Return decimal ``text`` in units of 1e-8.

    Raises
    ------
    ValueError
        When it is not a finite decimal, is finer than 1e-8, or does not fit 63 bits.
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


def to_e8_floor(text: str) -> int:
    """Return decimal ``text`` in units of 1e-8, rounded down: what is owned.

    Raises
    ------
    ValueError
        When it is not a finite decimal, or does not fit 63 bits.
    """
    return to_e8(_rounded(text, ROUND_FLOOR))


def to_e8_ceiling(text: str) -> int:
    """Return decimal ``text`` in units of 1e-8, rounded up: what is paid.

    Raises
    ------
    ValueError
        When it is not a finite decimal, or does not fit 63 bits.
    """
    return to_e8(_rounded(text, ROUND_CEILING))


def _rounded(text: str, rounding: str) -> str:
    scaled = _EXACT.scaleb(_decimal(text), DECIMALS)
    whole = scaled.to_integral_value(rounding=rounding, context=_EXACT)
    return str(_EXACT.scaleb(whole, -DECIMALS))


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


def format_e8(value_e8: int) -> str:
    """Return ``value_e8`` as decimal text with 8 places, as venues write it."""
    sign = "-" if value_e8 < 0 else ""
    whole, rest = divmod(abs(value_e8), 10**DECIMALS)
    return f"{sign}{whole}.{rest:08d}"
