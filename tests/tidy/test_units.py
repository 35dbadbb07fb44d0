"""Every field of every shared record says its unit, and every name stands for one thing."""

from sources import layouts

# fmt: off
UNITS = {
    "ns", "ms", "cycle", "cycles", "ticks", "lots", "e8", "bps", "bytes", "count", "counts",
    "offset", "index", "seq", "id", "pid", "number", "address", "min", "max", "capacity", "mask",
    "version", "10s", "s",
}
#: Codes, whose enum the field's own words name.
CODES = {
    "kind", "side", "aggressor_side", "state", "reason", "reject", "status", "error_code", "order",
    "execution", "cancel_outcome", "place_outcome", "request_kind", "fee_asset", "wait_mode",
    "wait", "cause", "epoch", "input_epoch", "generation", "fragments_opcode", "close_code",
    "halt_reasons", "time_in_force", "chain", "update_chain", "instrument_kind",
    "contract_direction", "trading_status", "replacing", "asked_time_in_force", "last_fill_side",
}
#: Text, keys, whole structures of another's making, and what is plainly a number of its own kind.
PLAIN = {
    "symbol", "asset", "base_asset", "quote_asset", "settle_asset", "api_key",
    "inner_state", "outer_state", "prefix_state",
    "magic", "fingerprint", "record_names", "flags", "fd", "control", "cash", "reserved", "pull",
    "own_bought_notional", "own_sold_notional", "bought_notional", "sold_notional",
    "tag", "asked_tag", "by_event",
    "words", "trade_id_high", "last_trade_id_high", "tick_inverse", "lot_inverse",
    # A letter's words mean what its subject says.
    "subject", "first", "second", "third", "fourth", "fifth", "sixth",
}
# fmt: on


def has_unit(name):
    if name in CODES | PLAIN or name.startswith(("is_", "has_")):
        return True
    return name.split("_")[-1] in UNITS


def test_the_layouts_are_found():
    assert {"vortex.records.TOP", "vortex.books.book.BOOK"} <= set(layouts())


def test_every_field_ends_in_its_unit():
    wrong = [
        f"{where}.{field.name}"
        for where, layout in layouts().items()
        for field in layout.fields
        if not has_unit(field.name)
    ]
    assert not wrong, "end in a unit, or list it above: " + ", ".join(wrong)


def test_every_field_is_explained():
    wrong = [
        f"{where}.{field.name}"
        for where, layout in layouts().items()
        for field in layout.fields
        if not field.doc.strip()
    ]
    assert not wrong


def test_every_layout_has_a_name_of_its_own():
    names = [layout.name for layout in layouts().values()]
    assert len(names) == len(set(names)), "fingerprints and tables are told apart by the name"


def test_no_field_is_unsigned():
    # numba types uint64 + int64 as float64.
    wrong = [
        f"{where}.{field.name}"
        for where, layout in layouts().items()
        for field in layout.fields
        if field.kind.lstrip("<>=|")[0] not in "ifS"
    ]
    assert not wrong
