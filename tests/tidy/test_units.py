"""Every field of every shared record says its unit, and every name stands for one thing."""

import ast
from pathlib import Path

import pytest
from sources import ROOT, all_modules, functions_of, is_compiled, layouts

# fmt: off
UNITS = {
    "ns", "ms", "cycle", "cycles", "ticks", "lots", "e8", "bps", "bytes", "count", "counts",
    "offset", "index", "seq", "id", "pid", "number", "address", "min", "max", "capacity", "mask",
    "version", "10s", "s", "tick", "ticks2", "million",
}
#: Codes, whose enum the field's own words name.
CODES = {
    "kind", "side", "aggressor_side", "state", "reason", "reject", "status", "error_code", "order",
    "execution", "cancel_outcome", "place_outcome", "request_kind", "fee_asset", "wait_mode",
    "wait", "cause", "epoch", "input_epoch", "generation", "fragments_opcode", "close_code",
    "halt_reasons", "stepped_halt_reasons", "time_in_force", "chain", "update_chain",
    "instrument_kind", "contract_direction", "trading_status", "replacing",
    "asked_time_in_force", "last_fill_side",
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
    return name.rpartition("_")[2] in UNITS


# fmt: off
#: Last words of parameters that are no quantity.
PLAIN_WORDS = {
    "value", "word", "character", "code", "opcode", "lead", "sign", "epoch", "prevention", "odd",
    "inverse", "shift", "exponent", "mantissa", "high", "low",
}
#: A test of one is as good as a unit: what its types say.
KINDS_WITH_A_UNIT = {"int", "float", "bool"}
#: Folders and files whose parameters are not converted yet.
NOT_CONVERTED: tuple[str, ...] = ()
# fmt: on


def place_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def compiled_parameters(path: Path) -> list[tuple[str, str]]:
    """Return the integers and floats that compiled functions of a file take, and by which."""
    return [
        (f"{place_of(path)}:{function.lineno} {function.name}", argument.arg)
        for function in functions_of(path)
        if is_compiled(function)
        for argument in function.args.args
        if argument.annotation and ast.unparse(argument.annotation) in KINDS_WITH_A_UNIT
    ]


def parameter_has_unit(name: str) -> bool:
    return has_unit(name) or name.rpartition("_")[2] in PLAIN_WORDS


def is_converted(path: Path) -> bool:
    return not place_of(path).startswith(NOT_CONVERTED)


def test_every_parameter_of_a_compiled_function_ends_in_its_unit():
    wrong = [
        f"{where}({name})"
        for path in all_modules()
        if is_converted(path)
        for where, name in compiled_parameters(path)
        if not parameter_has_unit(name)
    ]
    assert not wrong, "end in a unit, or in a word of PLAIN_WORDS: " + ", ".join(wrong)


@pytest.mark.parametrize("name", ["end", "position", "now", "price", "start", "size"])
def test_what_has_no_unit_is_found(name):
    assert not parameter_has_unit(name)


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
    assert len(names) == len(set(names)), "fingerprints and tables are known by the name"


def test_no_field_is_unsigned():
    # numba types uint64 + int64 as float64.
    wrong = [
        f"{where}.{field.name}"
        for where, layout in layouts().items()
        for field in layout.fields
        if field.kind.lstrip("<>=|")[0] not in "ifS"
    ]
    assert not wrong
