"""What a configuration file may hold, and what is said of one that may not be used."""

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from engines import strategy_of

from procs.commands.new import text_of
from procs.plan import placement, wiring
from procs.plan.config import Config, load, params_of
from procs.plan.credentials import (
    KEY_VARIABLE,
    SECRET_VARIABLE,
    STREAM_KEY_VARIABLE,
    VARIABLES,
    Credentials,
    credentials,
    forget_credentials,
    stream_key,
)
from procs.plan.errors import ConfigError
from procs.supervision import reference

ROOT = Path(__file__).resolve().parents[3]


def good() -> dict[str, Any]:
    """Return a configuration that is as it should be."""
    return {
        "instance": "unit",
        "sources": [{
            "rest_url": "http://127.0.0.1:1", "stream_url": "ws://127.0.0.1:2",
            "symbols": ["BTCUSDT", "ETHUSDT"],
        }],
        "accounts": [{"rest_url": "http://127.0.0.1:1", "order_url": "ws://127.0.0.1:2/ws-api/v3"}],
        "strategies": [strategy_of("BTCUSDT", 100), strategy_of("ETHUSDT", 1000)],
    }  # fmt: skip


def change(tables: dict[str, Any], path: list[str | int], value: Any) -> dict[str, Any]:
    """Set one key, by its path; None removes it."""
    place: Any = tables
    for step in path[:-1]:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return tables


def load_tables(folder: Path, tables: dict[str, Any]) -> Config:
    """Write a configuration as TOML and load it."""
    path = folder / "unit.toml"
    path.write_bytes(msgspec.toml.encode(tables))
    return load(path)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    """Keys left out have their defaults; symbols count across sources."""
    config = load_tables(tmp_path, good())
    assert config.symbols == ["BTCUSDT", "ETHUSDT"]
    assert config.choice("ETHUSDT").symbol == "ETHUSDT"
    assert config.rings.stall_ms == 100
    assert config.placement.wait == "auto"


@pytest.mark.parametrize("name", ["demo.toml", "binance_spot.toml"])
def test_what_comes_with_it_is_a_good_file(name: str) -> None:
    """It can be loaded, its strategies' parameters included."""
    config = load(ROOT / "configs" / name)
    assert {type(params_of(choice)).__name__ for choice in config.strategies} == {"Params"}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["colour"], "red", "unknown field `colour`"),
        (["accounts", 0, "colour"], "red", "unknown field `colour` - at `$.accounts[0]`"),
        (["rings", "market_bits"], "ten", "got `str` - at `$.rings.market_bits`"),
        (["rings", "market_bits"], 3, ">= 6 - at `$.rings.market_bits`"),
        (["rings", "stall_ms"], 0, ">= 1 - at `$.rings.stall_ms`"),
        (["accounts", 0, "recv_window_ms"], 60_001, "- at `$.accounts[0].recv_window_ms`"),
        (["placement", "wait"], "sleep", "'sleep' - at `$.placement.wait`"),
        (["placement", "engine_cpus"], [-1], ">= 0 - at `$.placement.engine_cpus[0]`"),
        (["placement", "together"], [["book"]], "length >= 2 - at `$.placement.together[0]`"),
        (["instance"], "../up", "at `$.instance`"),
        (["sources", 0, "rest_url"], None, "`rest_url` - at `$.sources[0]`"),
        (["sources"], [], "length >= 1 - at `$.sources`"),
        (["sources", 0, "symbols"], ["BTCUSDT"] * 2, "BTCUSDT is twice in `$.sources[0]"),
        (["sources", 0, "symbols"], ["BTCUSDT"], "`$.strategies` must name each symbol"),
        (["sources", 0, "stream_url"], "http://x", "`$.sources[0].stream_url` must begin with ws"),
        (["sources", 0, "rest_url"], "ftp://x", "`$.sources[0].rest_url` must begin with http://"),
        (["sources", 0, "venue"], "nowhere", "`$.sources[0].venue`: no venue 'nowhere'"),
        (["accounts", 0, "order_url"], "127.0.0.1", "`$.accounts[0].order_url` must begin with"),
        (["accounts", 0, "venue"], "nowhere", "`$.accounts[0].venue`: no venue 'nowhere'"),
        (["strategies", 0, "name"], "nothing", "no strategy 'nothing'"),
        (["strategies", 0, "leans_on"], ["x:Y"], "no instrument 'x:Y'; there are main:BTCUSDT"),
        (["strategies", 0, "leans_on"], ["BTCUSDT"], "'BTCUSDT' is the symbol itself"),
        (["orders"], {}, "no table [orders] any more; write [[accounts]] instead"),
        (["secrets"], {"file": "x"}, "no table [secrets] any more; write `secrets` instead"),
        (["accounts"], [], "length >= 1 - at `$.accounts`"),
        (["accounts", 0, "private_url"], "http://x", "`$.accounts[0].private_url` must begin"),
        (["strategies", 0, "account"], "other", "`$.strategies[0].account`: no account 'other'"),
        (["strategies", 0, "limits"], None, "`$.strategies[0].limits` is missing"),
        (["strategies", 1, "params", "colour"], 1, "`$.strategies[1].params`"),
        (["strategies", 0, "params", "qty_lots"], 0, "`$.strategies[0].params`"),
        (["strategies", 0, "params", "qty_lots"], None, "missing required field `qty_lots`"),
        (["strategies", 0, "limits", "order_qty"], None, "`order_qty` - at `$.strategies[0]"),
        (["strategies", 0, "limits", "order_qty"], 0.1, "`float` - at `$.strategies[0].limits"),
    ],
)
def test_a_bad_key_is_named_by_its_path(
    tmp_path: Path, path: list[str | int], value: Any, said: str
) -> None:
    """The message holds the file, the key's path and what is wrong with it."""
    with pytest.raises(ConfigError) as caught:
        load_tables(tmp_path, change(good(), path, value))
    assert said in str(caught.value)
    assert str(tmp_path / "unit.toml") in str(caught.value)


def test_a_strategy_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Its key is named, and which strategies there are."""
    tables = good()
    for choice in tables["strategies"]:
        choice["name"] = "nothing"
    with pytest.raises(ConfigError, match=r"`\$\.strategies\[0\]\.name`.*constant_spread"):
        load_tables(tmp_path, tables)


def with_file(tables: dict[str, Any], file: str) -> dict[str, Any]:
    """Return the tables with a strategy's file in the place of its name."""
    for choice in tables["strategies"]:
        del choice["name"]
        choice["file"] = file
        choice["params"] = {"step_ticks": 1, "qty_lots": 1, "inventory_lots_max": 10}
    return tables


def test_a_strategy_file_is_found_beside_the_configuration(tmp_path: Path) -> None:
    """Wherever the command is run."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.py").write_text(text_of("mine"))
    config = load_tables(tmp_path, with_file(good(), "own/mine.py"))
    (source,) = config.strategy_sources
    assert config.strategy(source).name == "mine"
    assert source == str(tmp_path.resolve() / "own" / "mine.py")


def test_what_the_readme_shows_of_a_strategy_can_be_loaded(tmp_path: Path) -> None:
    """Its block of TOML, with the symbols that it names."""
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (shown,) = (tomllib.loads(block)["strategies"] for block in blocks if "strategies" in block)
    source = {**good()["sources"][0], "symbols": [choice["symbol"] for choice in shown]}
    config = load_tables(tmp_path, {**good(), "sources": [source], "strategies": shown})
    assert config.strategy_sources == ["avellaneda_stoikov"]


def test_a_strategy_is_named_or_filed_but_not_both(tmp_path: Path) -> None:
    """And not neither."""
    (tmp_path / "mine.py").write_text(text_of("mine"))
    for name in ({"name": "constant_spread"}, {}):
        tables = with_file(good(), "mine.py")
        tables["strategies"][1] |= name
        if not name:
            del tables["strategies"][1]["file"]
        with pytest.raises(ConfigError, match=r"`\$\.strategies\[1\]` needs one of `name` and"):
            load_tables(tmp_path, tables)


@pytest.mark.parametrize(
    ("change_of", "said"),
    [
        (None, r"cannot read .*mine.py: No such file"),
        (("decide(", "decide)"), r"mine.py cannot be imported: SyntaxError: .*line \d+"),
        (("import msgspec", "import nowhere"), "ModuleNotFoundError: No module named 'nowhere'"),
        (("def decide(", "def quote("), "has no decide"),
        (("@compiled\n", ""), "put @compiled above it"),
        (("step_ticks", "steps"), "Object missing required field `steps`|unknown field"),
    ],
)
def test_a_strategy_file_of_no_use_is_refused_before_anything_starts(
    tmp_path: Path, change_of: tuple[str, str] | None, said: str
) -> None:
    """The message holds the file and what is wrong with it."""
    if change_of is not None:
        (tmp_path / "mine.py").write_text(text_of("mine").replace(*change_of))
    with pytest.raises(ConfigError, match=said):
        load_tables(tmp_path, with_file(good(), "mine.py"))


def test_two_sources_need_two_names(tmp_path: Path) -> None:
    """Their processes are named after them."""
    tables = good()
    source = {**tables["sources"][0], "symbols": ["ETHUSDT"]}
    tables["sources"] = [{**source, "symbols": ["BTCUSDT"]}, source]
    with pytest.raises(ConfigError, match="the same name"):
        load_tables(tmp_path, tables)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Neither a missing file nor one that is not TOML ends in a traceback."""
    with pytest.raises(ConfigError, match=r"cannot read .*gone\.toml: No such file"):
        load(tmp_path / "gone.toml")
    path = tmp_path / "broken.toml"
    path.write_text("instance = [")
    with pytest.raises(ConfigError, match=r"broken\.toml is not TOML"):
        load(path)


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Take the keys out of the environment."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def with_secrets(folder: Path, text: str, mode: int = 0o600) -> Config:
    """Return a configuration that names a secrets file."""
    path = folder / "secrets"
    path.write_text(text)
    path.chmod(mode)
    return load_tables(folder, change(good(), ["accounts", 0, "secrets"], str(path)))


def only_key(config: Config) -> Credentials:
    """Return the key of the only account."""
    (key,) = credentials(config).values()
    return key


SECRETS = f"{KEY_VARIABLE}=the key\n{SECRET_VARIABLE} = no\n{SECRET_VARIABLE}=its=secret \n"


def test_keys_come_from_the_environment(tmp_path: Path, no_keys: pytest.MonkeyPatch) -> None:
    """The environment comes before the file."""
    no_keys.setenv(KEY_VARIABLE, "a")
    no_keys.setenv(SECRET_VARIABLE, "b")
    assert only_key(with_secrets(tmp_path, SECRETS)) == Credentials("a", b"b")


def test_keys_come_from_a_file_of_the_owners(tmp_path: Path, no_keys: pytest.MonkeyPatch) -> None:
    """A secret may hold an equals sign; spaces around it do not count."""
    assert only_key(with_secrets(tmp_path, SECRETS)) == Credentials("the key", b"its=secret")


def test_a_key_in_pem_is_taken_whole(tmp_path: Path, no_keys: pytest.MonkeyPatch) -> None:
    """All of its lines, and what comes after it."""
    key = rsa.generate_private_key(65_537, 1024)  # longer than an Ed25519 key, of many lines
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode().strip()
    text = f"{SECRET_VARIABLE}={pem}\n{KEY_VARIABLE}=k\n{STREAM_KEY_VARIABLE}=s\n"
    assert only_key(with_secrets(tmp_path, text)) == Credentials("k", pem.encode(), "s")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_may_touch_is_refused(
    tmp_path: Path, no_keys: pytest.MonkeyPatch, mode: int
) -> None:
    """Any bit for group or others is one too many; the message says what to do."""
    config = with_secrets(tmp_path, SECRETS, mode)
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == mode
    with pytest.raises(ConfigError, match="chmod 600"):
        credentials(config)


def test_missing_keys_are_named(tmp_path: Path, no_keys: pytest.MonkeyPatch) -> None:
    """Without environment, without file, or with a file that lacks one of them."""
    with pytest.raises(ConfigError, match=f"set {KEY_VARIABLE} and {SECRET_VARIABLE}"):
        credentials(load_tables(tmp_path, good()))
    with pytest.raises(ConfigError, match=f"must hold {KEY_VARIABLE}"):
        credentials(with_secrets(tmp_path, f"{KEY_VARIABLE}=only\n"))
    config = with_secrets(tmp_path, SECRETS)
    (tmp_path / "secrets").unlink()
    with pytest.raises(ConfigError, match=r"`\$\.accounts\[0\]\.secrets`: cannot read"):
        credentials(config)


def test_nothing_secret_is_shown(tmp_path: Path, no_keys: pytest.MonkeyPatch) -> None:
    """Neither by repr nor by a message."""
    shown = repr(credentials(with_secrets(tmp_path, SECRETS)))
    assert "key" not in shown.replace("(...)", "")
    assert "secret" not in shown
    config = with_secrets(tmp_path, "VORTEX_API_KEY=hidden\n")
    with pytest.raises(ConfigError) as caught:
        credentials(config)
    assert "hidden" not in str(caught.value)


def test_only_who_sends_orders_is_handed_the_secret() -> None:
    """Streams that want a key are shown one of their own, or the orders', and never the secret."""
    both = Credentials("key", b"secret")
    of_orders = {KEY_VARIABLE: "key", SECRET_VARIABLE: "secret"}
    assert both.variables(for_orders=True, for_streams=False) == of_orders
    assert both.variables(for_orders=False, for_streams=False) == {}
    assert both.variables(for_orders=False, for_streams=True) == {STREAM_KEY_VARIABLE: "key"}
    other = Credentials("key", b"secret", "another")
    assert other.variables(for_orders=False, for_streams=True) == {STREAM_KEY_VARIABLE: "another"}
    assert other.variables(for_orders=True, for_streams=False) == of_orders


def test_the_streams_key_is_beside_the_others(tmp_path: Path, no_keys: pytest.MonkeyPatch) -> None:
    """In the file or in the environment; a stage whose stream wants one refuses to go without."""
    config = with_secrets(tmp_path, f"{SECRETS}{STREAM_KEY_VARIABLE}= third \n")
    assert only_key(config).stream_key == "third"
    with pytest.raises(ConfigError, match=STREAM_KEY_VARIABLE):
        stream_key()
    for name, value in zip(VARIABLES, ("a", "b", "c"), strict=True):
        no_keys.setenv(name, value)
    assert only_key(config) == Credentials("a", b"b", "c")
    assert stream_key() == "c"
    forget_credentials()
    assert not {*VARIABLES} & {*os.environ}


def test_a_stage_shows_a_key_where_its_venue_wants_one(tmp_path: Path) -> None:
    """Of all stages only the ingest of such a source."""
    tables = good()
    tables["sources"] = [
        {**tables["sources"][0], "name": name, "venue": venue, "symbols": [symbol]}
        for name, venue, symbol in (
            ("text", "binance_spot", "BTCUSDT"), ("bytes", "binance_spot_sbe", "ETHUSDT"),
        )
    ]  # fmt: skip
    config = load_tables(tmp_path, tables)
    wires = wiring.wire(config)
    shown = [role for role in wires.roles if reference.shows_key(config, wires, role)]
    assert shown == [wires.ingest_roles[1]]


def two_accounts() -> dict[str, Any]:
    """Return a configuration in which each symbol is traded on an account of its own."""
    tables = good()
    only = tables["accounts"][0]
    tables["accounts"] = [{**only, "name": "one"}, {**only, "name": "two-b"}]
    for choice, account in zip(tables["strategies"], tables["accounts"], strict=True):
        choice["account"] = account["name"]
    return tables


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["accounts", 1, "name"], "one", "two `$.accounts` have the same name"),
        (["strategies", 1, "account"], None, "must say which account trades ETHUSDT: one, two-b"),
        (["strategies", 1, "account"], "one", "no strategy trades on the account two-b"),
        (["placement", "together"], [["gateway-one", "gateway-two-b"]], "one connection to an"),
    ],
)
def test_several_accounts_are_distinct(
    tmp_path: Path, path: list[str | int], value: Any, said: str
) -> None:
    """By names of their own, and each symbol says which of them trades it."""
    with pytest.raises(ConfigError) as caught:
        planned(tmp_path, change(two_accounts(), path, value))
    assert said in str(caught.value)


def planned(folder: Path, tables: dict[str, Any]) -> placement.Plan:
    """Return the placement of a configuration."""
    config = load_tables(folder, tables)
    return placement.plan(config.placement, wiring.wire(config).roles)


def test_limits_of_an_account_are_those_of_its_symbols(tmp_path: Path) -> None:
    """Unless a symbol has its own."""
    tables = two_accounts()
    tables["accounts"][1]["limits"] = {**tables["strategies"][1].pop("limits"), "open_orders": 3}
    config = load_tables(tmp_path, tables)
    assert [config.limits(choice).open_orders for choice in config.strategies] == [8, 3]


def test_each_account_has_a_key_of_its_own(tmp_path: Path, no_keys: pytest.MonkeyPatch) -> None:
    """In variables named after it, or in its own file, in which the plain names do as well."""
    file = tmp_path / "secrets"
    file.write_text(SECRETS)
    file.chmod(0o600)
    tables = two_accounts()
    config = load_tables(tmp_path, tables)
    no_keys.setenv(KEY_VARIABLE, "of nobody")
    no_keys.setenv(SECRET_VARIABLE, "of nobody")
    no_keys.setenv(f"{KEY_VARIABLE}_ONE", "a")
    no_keys.setenv(f"{SECRET_VARIABLE}_ONE", "b")
    with pytest.raises(ConfigError, match=f"set {KEY_VARIABLE}_TWO_B and {SECRET_VARIABLE}_TWO_B"):
        credentials(config)
    config = load_tables(tmp_path, change(tables, ["accounts", 1, "secrets"], "secrets"))
    keys = {"one": Credentials("a", b"b"), "two-b": Credentials("the key", b"its=secret")}
    assert credentials(config) == keys
    wires = wiring.wire(config)
    for roles, key in ((["gateway-one"], keys["one"]), (["book", "gateway-two-b"], keys["two-b"])):
        given = reference.variables_for(config, wires, roles, keys)
        assert given == {KEY_VARIABLE: key.key, SECRET_VARIABLE: key.secret.decode()}
    assert reference.variables_for(config, wires, ["ingest", "strategy"], keys) == {}
    forget_credentials()
    assert not [name for name in os.environ if name.startswith(KEY_VARIABLE)]


def two_venues(**chosen: Any) -> Any:
    """Return tables in which two sources have BTCUSDT, each traded on an account of its own."""
    tables = good()
    source, strategy = tables["sources"][0], {**tables["strategies"][0], "account": "cash"}
    only = tables["accounts"][0]
    tables["accounts"] = [{**only, "name": "cash"}, {**only, "name": "margin"}]
    tables["sources"] = [
        {**source, "name": "spot", "symbols": ["BTCUSDT", "ETHUSDT"]},
        {**source, "name": "linear", "venue": "bybit_linear", "symbols": ["BTCUSDT"]},
    ]
    tables["strategies"] = [
        {**strategy, "symbol": "BTCUSDT", "source": "spot"},
        {**strategy, "symbol": "ETHUSDT"},
        {**strategy, "symbol": "BTCUSDT", "account": "margin", **chosen},
    ]
    return tables


def test_a_symbol_of_two_sources_is_known_by_both(tmp_path: Path) -> None:
    """The names of instruments differ; each finds its own strategy."""
    config = load_tables(tmp_path, two_venues(source="linear"))
    assert config.symbols == ["spot:BTCUSDT", "ETHUSDT", "linear:BTCUSDT"]
    assert config.source_symbols == [
        ("spot", "BTCUSDT"), ("spot", "ETHUSDT"), ("linear", "BTCUSDT")
    ]  # fmt: skip
    assert [config.choice(name).source for name in config.symbols] == ["spot", None, "linear"]


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({}, 'BTCUSDT is a symbol of spot and linear; write source = "spot" or source = "linear"'),
        ({"source": "spot"}, "`$.strategies` must name each symbol of `$.sources` once"),
        ({"source": "moon"}, "`$.strategies[2].source`: no source 'moon' has BTCUSDT"),
        ({"source": "linear", "account": "cash"}, "cash trades BTCUSDT of spot and linear"),
    ],
)
def test_it_must_be_plain_which_of_two_is_meant(
    tmp_path: Path, chosen: dict[str, str], words: str
) -> None:
    """The message names the sources, and what to write."""
    with pytest.raises(ConfigError, match=re.escape(words)):
        load_tables(tmp_path, two_venues(**chosen))
