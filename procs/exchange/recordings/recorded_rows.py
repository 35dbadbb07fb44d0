"""The symbols of a recording, as they are configured: where their tick and lot come from.

In this order: a file that the user names, reference data in the recording, files beside it, the
exchange's configuration, and at last a guess from the recording's numbers.  What does not fit the
recorded prices is passed over.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from procs.exchange.core.exchange_config import ExchangeConfig, ExchangeConfigError, SymbolConfig
from procs.exchange.core.instrument import E8, text_e8
from procs.exchange.recordings.first_look import FirstLook, SeenSymbol
from procs.exchange.recordings.number_steps import read_e8
from procs.exchange.recordings.reference_files import Rows, rows_beside, rows_of_body, rows_of_file

QUOTE_ASSETS = ("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "BTC", "ETH", "BNB", "EUR", "TRY")
#: What a guess lets an order have at most.
QTY_MAX = "9000000000"
#: What the account gets of an asset that the configuration does not name, in quote assets.
WORTH = 10_000_000


class RecordedSymbols:
    """The symbols that are served of a recording; ``remarks`` say where their steps are from."""

    def __init__(self, path: Path, look: FirstLook) -> None:
        self.path = path
        self.look = look
        self.rows: list[SymbolConfig] = []
        self.remarks: list[str] = []

    def facts(self) -> list[dict[str, str]]:
        """Return what the exchange says of each symbol when it listens; numbers as texts."""
        names = ("dialect", "symbol", "base_asset", "quote_asset", "tick_size", "lot_size")
        return [
            {
                **{name: getattr(row, name) for name in names},
                "notional_min": row.notional_min,
                "price": row.anchor_price,
            }
            for row in self.rows
        ]


def _fits(row: SymbolConfig, seen: SeenSymbol) -> bool:
    """Return whether all recorded prices are multiples of the row's tick."""
    try:
        tick_e8, lot_e8 = read_e8(row.tick_size), read_e8(row.lot_size)
    except ValueError:
        return False
    return tick_e8 > 0 and lot_e8 > 0 and seen.price_step_e8 % tick_e8 == 0


def _guess(seen: SeenSymbol) -> SymbolConfig:
    quote = next((asset for asset in QUOTE_ASSETS if seen.symbol.endswith(asset)), "")
    if not quote:
        raise ExchangeConfigError(f"{seen.symbol}: unknown quote asset; name its reference data")
    price_max_e8 = max(10**6 * E8, 10 * read_e8(seen.last_price or "0"))
    guess = SymbolConfig(
        symbol=seen.symbol,
        base_asset=seen.symbol.removesuffix(quote),
        quote_asset=quote,
        anchor_price="0",
        tick_size=text_e8(seen.tick_e8),
        lot_size=text_e8(max(seen.lot_e8, E8 // seen.tick_e8)),
        price_max=text_e8(price_max_e8),
        qty_max=QTY_MAX,
    )
    return msgspec.structs.replace(guess, dialect=seen.dialect)


def find_rows(
    path: Path, look: FirstLook, config: ExchangeConfig, reference: Path | None
) -> RecordedSymbols:
    """Find a row for each symbol of a recording; the ones that cannot be served are remarked.

    Raises
    ------
    ExchangeConfigError
        When no symbol can be served, or the named file of reference data cannot be used.
    """
    found = RecordedSymbols(path, look)
    named = rows_of_file(reference) if reference is not None else {}
    inside = {key: row for body in look.bodies for key, row in rows_of_body(body).items()}
    beside = rows_beside(path)
    known: Rows = {(row.dialect, row.symbol): row for row in config.symbols}
    for key, seen in look.symbols.items():
        lack = lack_of(seen)
        if lack:
            found.remarks.append(f"{seen.symbol}: {lack}; not served")
            continue
        row_beside, file_beside = beside.get(key, (None, None))
        places = (
            (named.get(key), f"{reference}"),
            (inside.get(key), "the recording"),
            (row_beside, f"{file_beside}"),
            (known.get(key), "the exchange's configuration"),
        )
        fitting = ((row, place) for row, place in places if row is not None and _fits(row, seen))
        try:
            row, place = next(fitting, None) or (_guess(seen), "")
        except ExchangeConfigError as error:
            found.remarks.append(f"{error}; not served")
            continue
        found.rows.append(msgspec.structs.replace(row, anchor_price=seen.last_price or "0"))
        found.remarks.append(remark_of(row, place, seen))
    if not found.rows:
        others = [f"{market} is not served" for market in sorted(look.others)]
        reasons = "; ".join([*found.remarks, *others]) or "no market data"
        raise ExchangeConfigError(f"{path}: nothing to serve: {reasons}")
    return found


def lack_of(seen: SeenSymbol) -> str:
    """Return what of a symbol is not there, without which it cannot be served."""
    if not (seen.books or seen.snapshots) or not seen.price_steps or not seen.qty_steps:
        return f"no book among {', '.join(seen.topics)}"
    if not seen.snapshots and seen.dialect != "binance_spot":
        return "no snapshot of its book"
    return ""


def remark_of(row: SymbolConfig, place: str, seen: SeenSymbol) -> str:
    """Return where tick and lot of a symbol are from, and what is doubtful, in one line."""
    remark = f"{row.symbol}: tick {row.tick_size} and lot {row.lot_size}, from {place}"
    if not place:
        remark = (
            f"{row.symbol}: tick {row.tick_size} and lot {row.lot_size} are guessed from the "
            "recorded numbers; name reference data to be sure"
        )
    if not seen.snapshots:
        remark += "; no snapshot: the book begins empty and holds what the diffs say"
    return remark


def configured(config: ExchangeConfig, found: RecordedSymbols) -> ExchangeConfig:
    """Return the configuration with the recorded symbols alone, and balances in their assets."""
    balances: Mapping[str, str] = config.balances
    missing: dict[str, str] = {}
    for row in found.rows:
        price_e8 = read_e8(row.anchor_price)
        worth = {row.quote_asset: WORTH}
        if price_e8:
            worth[row.base_asset] = max(1, WORTH * E8 // price_e8)
        missing |= {asset: str(count) for asset, count in worth.items() if asset not in balances}
    return msgspec.structs.replace(
        config, symbols=tuple(found.rows), balances={**balances, **missing}
    )
