"""The benchmarks run, check what they measure, and say so; nobody's clock decides a test."""

import json

import pytest
from click.testing import CliRunner

from tools.bench import bybit_frames, frames, log, order, parse, parse_bybit, ring_python
from tools.bench import parse_others as others
from tools.bench.parse_loops import parse_all_bybit
from tools.bench.signed import read_request, signature_of, unmasked


def test_parse_reads_the_same_records_as_the_slow_decoder():
    result = parse.run(0.0, frame_count_max=300)
    assert set(result["figures"]) == {"mix", "depth", "bookTicker", "bybit"}
    kinds = result["figures"]["mix"]
    assert {"ours", "msgspec", "msgspec to ticks"} <= set(kinds)
    assert ("simdjson" in kinds) == (result["skipped"] == "")
    assert {"ours", "msgspec"} <= set(result["figures"]["bybit"])
    assert "bookTicker" in "\n".join(parse.lines(result))


def test_parse_fails_when_a_field_differs():
    block = frames.made(50, seed=3)
    expected = others.decode_and_sum(block)
    expected[0] += 1
    ours = parse.Ours()
    try:
        with pytest.raises(AssertionError, match="sums"):
            ours.run(parse.Frames(block), expected)
    finally:
        ours.close()


def test_made_frames_depend_on_nothing_but_the_seed():
    assert frames.made(20, seed=5) == frames.made(20, seed=5)
    assert frames.made(20, seed=5) != frames.made(20, seed=6)
    assert bybit_frames.made_frames(20, seed=5) == bybit_frames.made_frames(20, seed=5)
    assert bybit_frames.made_frames(20, seed=5) != bybit_frames.made_frames(20, seed=6)


def test_made_frames_of_bybit_are_of_the_form_of_today():
    block = parse.Frames(bybit_frames.made_frames(300, seed=2))
    ours = parse.Ours(bybit_frames.bybit_instruments(), parse_all_bybit)
    try:
        ours.run(block, parse_bybit.sum_bybit(block.frames))
        assert ours.catalog["general_count"] == 0
    finally:
        ours.close()


def test_order_builds_orders_that_a_venue_would_take():
    result = order.run(0.0)
    assert result["checked_count"] > 0
    assert result["figures"]["ours"]["median_ns"] > 0
    assert "ours" in "\n".join(order.lines(result))


def test_log_writes_every_event_that_it_counts():
    result = log.run(0.0)
    assert set(result["figures"]) >= {"ours", "the clock", "logging to a file"}
    assert "bar: 15 ns" in "\n".join(log.lines(result))


@pytest.fixture(params=["mp.Queue", "iceoryx2"])
def python_lanes(request, tmp_path, monkeypatch):
    """A way for Python to send records, of which few are sent."""
    monkeypatch.setattr(ring_python, "VALUE_COUNT", 50)
    monkeypatch.setattr(ring_python, "ROUND_COUNT", 20)
    kinds = ring_python.kinds(str(tmp_path))
    if request.param not in kinds:
        pytest.skip(f"{request.param} is not installed")
    yield kinds[request.param]
    for kind in kinds.values():
        kind.close()


def test_what_python_sends_by_brings_the_records(python_lanes):
    assert python_lanes.throughput(0) > 0
    assert all(took_ns > 0 for took_ns in python_lanes.round_trip(0))


def test_a_record_that_came_out_wrong_ends_the_benchmark(python_lanes, monkeypatch):
    def send_one_wrong(send):
        for value in range(50):
            send(ring_python.record(value + (value == 7)))

    monkeypatch.setattr(ring_python, "send_all", send_one_wrong)
    with pytest.raises(AssertionError, match="wrong record"):
        python_lanes.throughput(0)


def test_a_wrong_signature_is_found():
    params = {"symbol": "BTCUSDT", "timestamp": 1}
    params["signature"] = signature_of(params, b"right")
    payload = json.dumps({"id": "1", "params": params}).encode()
    assert read_request(payload, b"right")["params"] == params
    with pytest.raises(AssertionError, match="wrong signature"):
        read_request(payload, b"other")


def test_unmasked_undoes_what_a_client_masked():
    key, payload = bytes([1, 2, 3, 4]), b"a text of odd length"
    masked = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
    assert unmasked(bytes([0x81, 0x80 | len(payload)]) + key + masked) == payload


def test_results_are_written_as_json(tmp_path):
    from tools.bench.__main__ import main

    path = tmp_path / "results.json"
    arguments = ["--only", "order", "--seconds", "0", "--json", str(path)]
    outcome = CliRunner().invoke(main, arguments)
    assert outcome.exit_code == 0, outcome.output
    assert set(json.loads(path.read_text())) == {"machine", "order"}
