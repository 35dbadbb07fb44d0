"""Two accounts in one run: each trades its own symbols, and one does not stop the other."""

import json
import os
import secrets
import signal
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from engines import Engine, Exchange, strategy_of, until
from running import Running, holds, started

from procs.plan.credentials import KEY_VARIABLE, SECRET_VARIABLE
from procs.stages.gateway.context import GatewayCounter
from vortex.orders.order_table import is_open

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

#: The names of the accounts, and the symbol that each trades.
ACCOUNTS = {"left": "BTCUSDT", "right": "ETHUSDT"}
ROLES = [f"gateway-{name}" for name in ACCOUNTS]


def two_keys(exchange: dict[str, str], second: dict[str, str]) -> dict[str, str]:
    """Return the engine's variables for the two keys of an exchange."""
    names = (KEY_VARIABLE, SECRET_VARIABLE)
    return {
        **{f"{name}_LEFT": exchange[name] for name in names},
        **{f"{name}_RIGHT": second[f"{name}_2"] for name in names},
    }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Start an exchange with two accounts, and an engine that trades on both."""
    folder = tmp_path_factory.mktemp("accounts")
    second = {f"{name}_2": secrets.token_hex(32) for name in (KEY_VARIABLE, SECRET_VARIABLE)}
    with pytest.MonkeyPatch.context() as patch:
        for name, text in second.items():
            patch.setenv(name, text)
        exchange = Exchange(folder, "--audit")
    account = {
        "rest_url": exchange.rest_url, "order_url": f"{exchange.ws_url}/ws-api/v3",
        "orders_per_10s": 100_000, "answer_timeout_ms": 5000,
    }  # fmt: skip
    engine = Engine.on(
        folder, exchange,
        accounts=[{**account, "name": name} for name in ACCOUNTS],
        strategies=[
            {**strategy_of(symbol, 100 if symbol == "BTCUSDT" else 1000), "account": name}
            for name, symbol in ACCOUNTS.items()
        ],
    )  # fmt: skip
    engine.environment = {
        **{name: text for name, text in engine.environment.items() if "API" not in name},
        **two_keys(exchange.keys, second),
    }
    with started(exchange, engine) as run:
        yield run


def orders_of(exchange: Exchange, number: int) -> list[dict[str, Any]]:
    """Return the orders of one account, by the exchange's word."""
    return [order for order in exchange.audit()["orders"] if order["account"] == number]


def filled(running: Running, role: str) -> int:
    """Return how many fills one gateway has counted."""
    return running.count(role, GatewayCounter.FILLS)


def test_each_account_trades_its_own_symbols(running: Running) -> None:
    """Its orders, positions and balances are apart from the other's."""
    until(lambda: all(filled(running, role) > 3 for role in ROLES), "both accounts traded")
    for number, symbol in enumerate(ACCOUNTS.values(), 1):
        orders = orders_of(running.exchange, number)
        assert {order["symbol"] for order in orders} == {symbol}
    for account_id, name in enumerate(ACCOUNTS):
        positions = running.view.records(f"positions.{name}").copy()
        assert positions["account_id"].tolist() == [account_id] * 2
        assert positions[account_id]["fill_count"] > 0
        assert positions[1 - account_id]["fill_count"] == 0
        rows = running.view.records(f"orders.{name}").copy()
        known = rows[rows["order_id"] != 0]
        assert set(known["instrument_id"]) == set(known["account_id"]) == {account_id}
        assert any(is_open(int(row["state"])) for row in known) or len(known) > 3


def test_reports_name_the_accounts(running: Running) -> None:
    """The balances of each, and its part of the report."""
    done = running.engine.run("status", "-n", running.engine.name, "-o", "json")
    facts = json.loads(done.output)
    assert {name: set(owned) for name, owned in facts["balances"].items()} == {
        "left": {"BTC", "USDT"}, "right": {"ETH", "USDT"},
    }  # fmt: skip
    assert set(facts["report"]["accounts"]) == set(ACCOUNTS)


def test_each_gateway_knows_the_secret_of_its_account_alone(running: Running) -> None:
    """And the strategy, which trades on both, knows neither."""
    keys = {
        role: running.engine.environment[f"{SECRET_VARIABLE}_{name.upper()}"].encode()
        for role, name in zip(ROLES, ACCOUNTS, strict=True)
    }
    for role in (*ROLES, "strategy"):
        known = [owner for owner, key in keys.items() if holds(running.view.pid(role), key)]
        assert known == ([role] if role in ROLES else [])


def test_the_death_of_a_gateway_pulls_its_own_account_alone(running: Running) -> None:
    """The other one trades on and is not halted; the dead one comes back and trades."""
    left, right = ROLES
    halts = running.count(left, GatewayCounter.HALTS)
    life = int(running.view.status(right)["epoch"])
    placed = running.count(left, GatewayCounter.REQUESTS)
    os.kill(running.view.pid(right), signal.SIGKILL)
    until(lambda: running.view.status(right)["epoch"] == life + 1, "it was started again")
    until(lambda: running.count(left, GatewayCounter.REQUESTS) > placed, "the other traded on")
    until(lambda: happened(running)[-1]["what"] == "whole", "it trades again")
    before = filled(running, right)
    until(lambda: filled(running, right) > before, "it was filled again")
    assert running.count(left, GatewayCounter.HALTS) == halts
    pulled = [event for event in happened(running) if event["what"] == "pulled"]
    assert pulled[-1]["note"] == f"not ready: {right}"


def happened(running: Running) -> list[dict[str, Any]]:
    """Return the events of the run."""
    text = (running.engine.run_folder / "events.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_stop_waits_until_neither_account_has_an_open_order(running: Running) -> None:
    """Both gateways pull; the books of the exchange and ours agree on what each account holds."""
    positions = {}
    folder = running.engine.run_folder
    done = running.engine.stop()
    assert done.exit_code == 0, done.output
    assert running.open_orders() == 0
    assert not [each for number in (1, 2) for each in orders_of(running.exchange, number)
                if each["is_open"]]  # fmt: skip
    reported = json.loads((folder / "report.json").read_text())
    for key in ("orders", "cancels", "fills"):
        assert reported[key] == sum(account[key] for account in reported["accounts"].values()) > 0
    for key in ("tick_to_order_ns", "order_round_trip_ns"):
        counts = [account[key]["count"] for account in reported["accounts"].values()]
        assert reported[key]["count"] == sum(counts) > min(counts) > 0
    for number, symbol in enumerate(ACCOUNTS.values(), 1):
        held = Decimal(0)
        for fill in running.exchange.audit()["fills"]:
            if fill["account"] == number and fill["symbol"] == symbol:
                held += Decimal(fill["qty"]) * (1 if fill["side"] == "BUY" else -1)
        positions[symbol] = held
    assert {symbol: Decimal(text) for symbol, text in reported["position"].items()} == positions
    until(running.engine.has_left_nothing, "all has ended")
