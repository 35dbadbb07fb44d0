"""What is found out about a recording before it is played: whose it is, its symbols, its steps."""

import gzip
import json
import shutil
import subprocess

import pytest
from bybit_recordings import ScriptedRecording, instrument_row

from procs.exchange.core.exchange_config import ExchangeConfig, ExchangeConfigError, SymbolConfig
from procs.exchange.exchange import look_at_recording
from procs.exchange.recordings.recorded_rows import configured
from procs.exchange.recordings.recording_lines import lines_of, recording_in
from procs.exchange.recordings.recording_owner import owner_of

TRADE = {"e": "trade", "E": 1, "s": "TESTUSDT", "t": 1, "p": "3.50", "q": "0.4", "m": True}
TEXT = b"first\n\nsecond\nthird"


def binance_lines(*frames):
    """Return lines of a stream's name and data, or of an answer to a depth request."""
    texts = [{"stream": name, "data": data} if name else data for name, data in frames]
    return "".join(f"{10**9 + n} {json.dumps(text)}\n" for n, text in enumerate(texts)).encode()


def diff(symbol, first, last, bids=(), asks=()):
    data = {"e": "depthUpdate", "E": 1, "s": symbol.upper(), "U": first, "u": last}
    return f"{symbol}@depth@100ms", {**data, "b": list(bids), "a": list(asks)}


def refused(path, words):
    with pytest.raises(ExchangeConfigError, match=words) as caught:
        look_at_recording(path, ExchangeConfig())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["plain", "gzip", "zstd"])
def test_lines_are_read_plain_and_compressed(tmp_path, form):
    path = tmp_path / "lines"
    path.write_bytes(TEXT)
    if form == "gzip":
        path.write_bytes(gzip.compress(TEXT))
    elif form == "zstd":
        if shutil.which("zstd") is None:
            pytest.skip("no program zstd")
        done = subprocess.run(["zstd", "-qc"], input=TEXT, capture_output=True, check=True)
        path.write_bytes(done.stdout)
    assert list(lines_of(path)) == [b"first", b"second", b"third"]
    assert next(lines_of(path)) == b"first", "no reader is left behind"
    path.write_bytes(path.read_bytes()[:-4] if form != "plain" else b"")
    if form == "plain":
        assert list(lines_of(path)) == []
        return
    with pytest.raises(ExchangeConfigError, match="cannot be read"):
        list(lines_of(path))


def test_without_the_program_a_file_of_zstd_says_what_to_do(tmp_path, monkeypatch):
    path = tmp_path / "lines.jsonl.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ExchangeConfigError, match="there is no program zstd: install it, or give"):
        next(lines_of(path))


def test_a_folder_names_its_only_recording(tmp_path):
    with pytest.raises(ExchangeConfigError, match="it has: none"):
        recording_in(tmp_path)
    first = tmp_path / "a.jsonl.gz"
    first.write_bytes(b"")
    (tmp_path / "notes.md").write_text("")
    assert recording_in(tmp_path) == first
    (tmp_path / "b.jsonl.zst").write_bytes(b"")
    with pytest.raises(ExchangeConfigError, match=r"it has: a\.jsonl\.gz, b\.jsonl\.zst"):
        recording_in(tmp_path)


FUTURES_DIFF = {"e": "depthUpdate", "U": 1, "u": 2, "pu": 0, "b": [], "a": []}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (binance_lines(("btcusdt@depth", FUTURES_DIFF)), "Binance's USD-M futures"),
        (binance_lines(("btcusdt@trade", {**TRADE, "X": "MARKET"})), "Binance's USD-M futures"),
        (binance_lines(("btcusd_perp@depth", {**FUTURES_DIFF, "ps": "BTCUSD"})), "COIN-M"),
        (binance_lines(("btcusdt@bookTicker", {"e": "bookTicker"})), "Binance's futures"),
        (b'{"t":"header","exchange":"OKX"}\n', "a recording of OKX; recordings of binance_spot"),
        (b'{"venue":"kraken","url":"x"}\n', "a recording of kraken; recordings of"),
        (b'{"what":1}\n', "an unknown venue"),
        (b"a,b,c\n1,2,3\n", "of a form that is known"),
        (b"", "of a form that is known"),
        (binance_lines(("btcusdt@kline_1m", {"k": {"o": "0.00000001"}})), "no book among btcusdt@"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_says_why_in_one_line(tmp_path, lines, words):
    path = tmp_path / "recording.jsonl"
    path.write_bytes(lines)
    refused(path, words)


def test_a_category_that_is_not_served_is_named(tmp_path):
    recording = ScriptedRecording("inverse")
    recording.book("BTCUSD", "snapshot", [["60000", "1"]], [["60001", "1"]])
    path = recording.save(tmp_path / "inverse.jsonl")
    assert owner_of(path) == "bybit"
    refused(path, "nothing to serve: bybit_inverse is not served")


def test_a_book_of_changes_without_a_snapshot_is_not_served(tmp_path):
    recording = ScriptedRecording()
    recording.book("BTCUSDT", "delta", [["60000", "1"]], [["60001", "1"]])
    refused(recording.save(tmp_path / "late.jsonl"), "BTCUSDT: no snapshot of its book")


def test_each_symbol_has_the_steps_of_its_own_numbers(tmp_path):
    """Not those of candles, nor those of another symbol; a snapshot goes to whom its id fits."""
    path = tmp_path / "several.jsonl"
    snapshot = {"lastUpdateId": 903, "bids": [["3.100", "5"]], "asks": [["3.2", "7"]]}
    path.write_bytes(
        binance_lines(
            ("testusdt@kline_1m", {"k": {"o": "0.00000001", "v": "0.00000001"}}),
            diff("btcusdt", 100, 105, [["60000.50", "0.25"]]),
            diff("testusdt", 900, 902, [["3.125", "40"]]),
            (None, snapshot),
            diff("testusdt", 903, 905, [], [["3.25", "0"]]),
            diff("btcusdt", 106, 109, [], [["60001.00", "0.001"]]),
        )
    )
    found = look_at_recording(path, ExchangeConfig(symbols=()))
    steps = {row.symbol: (row.tick_size, row.lot_size) for row in found.rows}
    assert steps == {
        "BTCUSDT": ("0.10000000", "0.00100000"),
        "TESTUSDT": ("0.00100000", "1.00000000"),
    }
    assert len(found.remarks) == 2
    assert all("guessed" in remark for remark in found.remarks)
    assert "no snapshot" not in found.remarks[0]
    assert found.remarks[1].startswith("BTCUSDT: tick 0.10000000 and lot 0.00100000 are guessed")
    assert "; no snapshot: the book begins empty" in found.remarks[1]
    exchange = configured(ExchangeConfig(), found)
    assert {row.symbol for row in exchange.symbols} == {"BTCUSDT", "TESTUSDT"}
    assert int(exchange.balances["TEST"]) * 3.1 > 5_000_000


def test_steps_come_from_reference_data_the_nearest_first(tmp_path):
    """The file that is named, the recording itself, a file beside it, the configuration."""
    recording = ScriptedRecording()
    recording.book("BTCUSDT", "snapshot", [["60000.00", "0.5"]], [["60001.00", "0.5"]])
    folder = tmp_path / "bybit_linear"
    folder.mkdir()
    row = SymbolConfig("BTCUSDT", "BTC", "USDT", "1", "0.50", "0.1", dialect="bybit_linear")
    config = ExchangeConfig(symbols=(row,))

    def steps(reference=None):
        path = recording.save(folder / "a.jsonl")
        found = look_at_recording(path, config, reference)
        return found.rows[0].tick_size, found.rows[0].lot_size, found.remarks[0]

    assert steps()[:2] == ("0.50", "0.1")
    assert "from the exchange's configuration" in steps()[2]
    beside = tmp_path / "exchange_info"
    beside.mkdir()
    (beside / "rows.json").write_text(
        json.dumps({"linear": [instrument_row("linear", "BTCUSDT", "BTC", "USDT", "0.20", "0.01")]})
    )
    assert steps()[:2] == ("0.20", "0.01")
    assert str(beside / "rows.json") in steps()[2]
    recording.instruments(("BTCUSDT", "BTC", "USDT", "0.10", "0.001"))
    assert steps()[:2] == ("0.10", "0.001")
    assert "from the recording" in steps()[2]
    named = tmp_path / "named.json"
    listed = [instrument_row("linear", "BTCUSDT", "BTC", "USDT", "0.05", "0.002")]
    result = {"category": "linear", "list": listed}
    named.write_text(json.dumps({"retCode": 0, "result": result}))
    assert steps(named)[:2] == ("0.05", "0.002")
    listed[0]["priceFilter"]["tickSize"] = "7.00"
    named.write_text(json.dumps({"retCode": 0, "result": result}))
    assert steps(named)[:2] == ("0.10", "0.001"), "a tick that does not fit the prices"
    named.write_text("{}")
    with pytest.raises(ExchangeConfigError, match=r"named\.json: no symbols"):
        steps(named)


def test_binances_reference_data_is_read_and_that_of_futures_is_not(tmp_path):
    path = tmp_path / "spot.jsonl"
    path.write_bytes(binance_lines(diff("testusdt", 1, 2, [["3.125", "40"]])))
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.00500000", "maxPrice": "1000.00"},
        {"filterType": "LOT_SIZE", "stepSize": "0.50000000", "maxQty": "900.0"},
        {"filterType": "NOTIONAL", "minNotional": "1.0", "maxNotional": "9000.0"},
    ]
    row = {"symbol": "TESTUSDT", "baseAsset": "TEST", "quoteAsset": "USDT", "filters": filters}
    info = tmp_path / "info.json"
    info.write_text(json.dumps({"symbols": [{**row, "contractType": "PERPETUAL"}]}))
    assert "guessed" in look_at_recording(path, ExchangeConfig()).remarks[0]
    info.write_text(json.dumps({"symbols": [row]}))
    found = look_at_recording(path, ExchangeConfig()).rows[0]
    assert (found.tick_size, found.lot_size) == ("0.00500000", "0.50000000")
    assert (found.notional_min, found.notional_max, found.qty_max) == ("1.0", "9000.0", "900.0")


def test_every_recording_is_served_or_refused_in_one_line(recordings):
    served = {"binance_spot": "BTCUSDT", "bybit_linear": "BTCUSDT DOGEUSDT ETHUSDT SOLUSDT"}
    for folder in sorted((recordings / "captures").iterdir()):
        if not any(folder.glob("*.*l*")) or folder.name in ("exchange_info", "binance_sbe_schemas"):
            continue
        if folder.name not in served:
            refused(folder, "; recordings of binance_spot, bybit_linear and bybit_spot are served")
            continue
        found = look_at_recording(folder, ExchangeConfig())
        assert sorted(row.symbol for row in found.rows) == served[folder.name].split()
        assert any("BTCUSDT: tick" in each and "guessed" not in each for each in found.remarks)
