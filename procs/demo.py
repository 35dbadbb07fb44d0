"""All in one command: a local exchange, the engine on it, one status line a second.

``python -m procs.demo``, the body of ``make run``.  It makes the key of the exchange's account at
run time and passes it only in the environment of the processes that need it.
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec

from procs import recorded_run
from procs.logs.text_streams import accept_terminal, utf8_environment
from procs.machine import scheduling, throttle
from procs.observe.samples import report
from procs.observe.samples.view import RunView, open_view
from procs.plan import config as configuration
from procs.plan import instance, placement, wiring
from procs.plan.config import Config, Tls
from procs.plan.credentials import KEY_VARIABLE, SECRET_VARIABLE, variables_of
from procs.plan.errors import ConfigError
from procs.plan.placement import share_out
from procs.supervision.compiling import warm

ORDERS_PER_30S_MIN, FILLS_PER_30S_MIN = 100, 20


class Demo:
    """The exchange, the engine, the dashboard and their status lines; ``close`` ends all."""

    def __init__(self, config: Config, folder: Path, *, use_tls: bool = False) -> None:
        self.config = config
        self.folder = folder
        self.ca_path = folder / "exchange-authority.pem" if use_tls else None
        self.environment = dict(os.environ)
        self._keys = [(secrets.token_hex(32), secrets.token_hex(32)) for _ in config.accounts]
        self.exchange: subprocess.Popen[str] | None = None
        self.dashboard: subprocess.Popen[bytes] | None = None
        self.config_path = folder / "demo.toml"
        self.is_watching = False
        self.interrupted = False
        self._lent = contextlib.ExitStack()  # settings of the machine

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """End the watch and continue with the report; before the watch begins, exit at once."""
        self.interrupted = True
        if not self.is_watching:
            raise SystemExit(128 + number)

    def start_exchange(self, arguments: list[str]) -> None:
        """Start the exchange on a housekeeping CPU."""
        (cpu, *_), _ = share_out(self.config.placement)
        command = [sys.executable, "-m", "procs.exchange", "--cpu", str(cpu),
                   "--report", str(self.folder / "exchange.json"), *arguments]  # fmt: skip
        if self.ca_path is not None:
            command += ["--tls", str(self.ca_path)]
        # The exchange finds the key of its second account in VORTEX_API_KEY_2, and so on.
        keys: dict[str, str] = {}
        for index, pair in enumerate(self._keys):
            suffix = f"_{index + 1}" if index else ""
            names = (KEY_VARIABLE + suffix, SECRET_VARIABLE + suffix)
            keys |= dict(zip(names, pair, strict=True))
        self.exchange = subprocess.Popen(
            command, stdout=subprocess.PIPE, encoding="utf-8",
            env=utf8_environment({**os.environ, **keys}), start_new_session=True,
        )  # fmt: skip

    def stop_exchange(self) -> dict[str, Any]:
        """End the exchange; return its report."""
        assert self.exchange is not None
        self.exchange.send_signal(signal.SIGTERM)
        self.exchange.wait()
        report: dict[str, Any] = json.loads(
            (self.folder / "exchange.json").read_text(encoding="utf-8")
        )
        return report

    def ready(self) -> dict[str, Any]:
        """Wait until the exchange listens; return its ports and addresses."""
        assert self.exchange is not None
        assert self.exchange.stdout is not None
        line = self.exchange.stdout.readline()
        if not line:
            raise click.ClickException("the exchange did not start; its message is above")
        found: dict[str, Any] = json.loads(line)
        return found

    def take_recording(self, ready: dict[str, Any], wanted: list[str], *, is_usual: bool) -> None:
        """Run the symbols of the recording that the exchange has looked at."""
        facts = msgspec.convert(ready["recorded"], list[recorded_run.RecordedFacts])
        try:
            run = recorded_run.run_on(self.config, facts, wanted, is_usual=is_usual)
        except ConfigError as error:
            raise click.ClickException(str(error)) from error
        for remark in run.remarks:
            click.echo(remark)
        self.config = run.config

    def addresses(self, ready: dict[str, Any], venue: str) -> dict[str, str]:
        """Return where the exchange serves a venue, by the keys of the configuration."""
        if venue in ready:  # a dialect says its own addresses; the path of a stream is the venue's
            stream = urlsplit(ready[venue]["stream_url"])
            return {**ready[venue], "stream_url": f"{stream.scheme}://{stream.netloc}"}
        secure = "s" if self.ca_path else ""
        ws_url = f"ws{secure}://127.0.0.1:{ready['ws_port']}"
        return {
            "rest_url": f"http{secure}://127.0.0.1:{ready['rest_port']}",
            "stream_url": ws_url,
            "trade_url": f"{ws_url}/ws-api/v3",
        }

    def start_engine(self, ready: dict[str, Any]) -> None:
        """Point the configuration at the exchange and start the engine on it."""
        replace = msgspec.structs.replace
        sources, accounts = [], []
        for source in self.config.sources:
            found = self.addresses(ready, source.venue)
            urls = {key: found[key] for key in ("rest_url", "stream_url")}
            sources.append(replace(source, **urls))
        for account in self.config.accounts:
            found = self.addresses(ready, account.venue)
            accounts.append(replace(
                account, rest_url=found["rest_url"], order_url=found["trade_url"],
                private_url=found.get("private_url"),
            ))  # fmt: skip
        self.config = replace(self.config, sources=sources, accounts=accounts)
        if self.ca_path is not None:
            self.config = replace(self.config, tls=Tls(ca_file=str(self.ca_path.resolve())))
        for account, pair in zip(accounts, self._keys, strict=False):
            self.environment |= zip(variables_of(self.config, account), pair, strict=True)
        plan = placement.plan(self.config.placement, wiring.wire(self.config).roles)
        if scheduling.is_wanted(self.config.placement.scheduler, plan):
            self._lent.enter_context(throttle.lifted(click.echo))
        text = msgspec.toml.encode(self.config)
        self.config_path.write_bytes(text)
        self.control("start", "-c", str(self.config_path))
        housekeeping_cpus, _ = share_out(self.config.placement)
        os.sched_setaffinity(0, housekeeping_cpus)

    def start_dashboard(self) -> None:
        """Start the dashboard, which prints its own address; the run continues if it fails."""
        command = [sys.executable, "-m", "procs.cli", "dashboard", "-n", self.config.instance]
        self.dashboard = subprocess.Popen(
            [*command, "--until-ended"], stdin=subprocess.DEVNULL, start_new_session=True
        )

    def control(self, *arguments: str) -> None:
        """Run one vortexctl command; its output goes to our terminal."""
        command = [sys.executable, "-m", "procs.cli", *arguments]
        status = subprocess.run(command, env=self.environment, check=False).returncode
        if status != 0:
            raise click.ClickException(f"vortexctl {arguments[0]} failed with status {status}")

    def watch(self, seconds: int) -> None:
        """Print one line a second for ``seconds``, or until Ctrl-C when it is 0."""
        view, _ = open_view(self.config.instance)
        started = time.monotonic()
        printed = 0
        self.is_watching = True
        try:
            while not self.interrupted and (seconds == 0 or printed < seconds):
                time.sleep(max(started + printed + 1 - time.monotonic(), 0.0))
                printed += 1
                click.echo(status_line(view, printed))
                if not instance.is_up(self.config.instance):
                    raise click.ClickException("the engine ended by itself; see its logs")
        finally:
            self.is_watching = False
            view.close()

    def close(self) -> None:
        """End the engine, then the exchange; a second Ctrl-C does not interrupt this."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        try:
            if instance.is_up(self.config.instance):
                self.control("stop", "-n", self.config.instance)
        finally:
            self._lent.close()
            for process in (self.dashboard, self.exchange):
                if process is not None:
                    process.send_signal(signal.SIGTERM)
                    process.wait()


def status_line(view: RunView, second: int) -> str:
    """Return the state of the run in one line."""
    facts = report.make(view)
    latency = facts["tick_to_order_ns"]
    position = " ".join(f"{s} {held}" for s, held in facts["position"].items())
    p50, p99 = (report.microseconds(latency[p]) for p in ("p50", "p99"))
    return (
        f"{second:>4} s  messages {facts['messages']:>7}  orders {facts['orders']:>6}  "
        f"fills {facts['fills']:>5}  {position}  pnl {float(facts['pnl']):.2f}  "
        f"tick-to-order p50 {p50} p99 {p99} us  "
        f"rings {view.fill_fraction():.1%}  dropped {facts['dropped']}"
    )


def verdict(facts: dict[str, Any], seconds: float, is_market: bool) -> list[str]:
    """Return the faults of a run; an empty list when there were none."""
    faults = []
    if facts["dropped"]:
        faults.append(f"{facts['dropped']} records were dropped")
    if not facts["orders"]:
        faults.append(f"no order was placed in {seconds:.0f} s")
    elif is_market:
        share = seconds / 30
        if facts["orders"] < ORDERS_PER_30S_MIN * share:
            faults.append(f"only {facts['orders']} orders in {seconds:.0f} s")
        if facts["fills"] < FILLS_PER_30S_MIN * share:
            faults.append(f"only {facts['fills']} fills in {seconds:.0f} s")
    return faults


@click.command(help=__doc__)
@click.option("--config", "config_path", type=click.Path(exists=True, path_type=Path),
              help="What to run; configs/demo.toml, or what fits the recording.")  # fmt: skip
@click.option("--exchange-config", type=click.Path(exists=True, path_type=Path),
              help="The markets of the exchange; configs/exchange.toml.")  # fmt: skip
@click.option("--seconds", default=60, help="How long; 0 until Ctrl-C.")
@click.option("--report", "report_path", type=click.Path(path_type=Path), help="Write JSON here.")
@click.option("--capture", type=click.Path(exists=True, path_type=Path),
              help="Serve this recording instead of the simulated market.")  # fmt: skip
@click.option("--symbol", "symbols", default="",
              help="Symbols of the recording to trade, with commas between.")  # fmt: skip
@click.option("--reference", type=click.Path(exists=True, path_type=Path),
              help="Reference data of the recording's symbols.")  # fmt: skip
@click.option("--speed", default="1", help="Pace of the recording: a factor, or max.")
@click.option("--seed", default=1, help="Seed of the simulated market.")
@click.option("--tls", "use_tls", is_flag=True, help="Speak wss:// and https://.")
@click.option("--dashboard/--no-dashboard", "has_dashboard", default=True,
              help="Show the run in a browser; the address is printed.")  # fmt: skip
def main(
    config_path: Path | None, exchange_config: Path | None, seconds: int,
    report_path: Path | None, capture: Path | None, symbols: str, reference: Path | None,
    speed: str, seed: int, use_tls: bool, has_dashboard: bool,
) -> None:  # fmt: skip
    """Run the demonstration."""
    accept_terminal()
    try:
        usual = recorded_run.USUAL["binance"]
        if capture is not None:
            usual = recorded_run.usual_for(capture)
        config = configuration.load(config_path or usual[0])
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    if instance.is_up(config.instance):
        raise click.ClickException(
            f"instance {config.instance!r} is up; end it: vortexctl stop -n {config.instance}"
        )
    arguments = ["--config", str(exchange_config or usual[1]), "--seed", str(seed)]
    if capture is not None:
        arguments += ["--capture", str(capture), "--speed", speed]
    if reference is not None:
        arguments += ["--reference", str(reference)]
    folder = Path(config.runs_folder) / f"demo-{os.getpid()}"
    folder.mkdir(parents=True)
    demo = Demo(config, folder, use_tls=use_tls)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, demo.on_signal)
    started = time.monotonic()
    try:
        demo.start_exchange(arguments)
        ready: dict[str, Any] = {}
        if capture is not None:
            ready = demo.ready()
            wanted = [symbol for symbol in symbols.split(",") if symbol]
            demo.take_recording(ready, wanted, is_usual=config_path in (None, usual[0]))
            config = demo.config
        if not warm.is_warm(config):
            warm.warm(config, click.echo)  # while the exchange compiles its own functions
        ready = ready or demo.ready()
        for venue in config.venues:
            found = demo.addresses(ready, venue)
            click.echo(
                f"exchange: {venue}: REST {found['rest_url']}, streams {found['stream_url']}"
            )
        demo.start_engine(ready)
        click.echo(f"trading after {time.monotonic() - started:.1f} s")
        if has_dashboard:
            demo.start_dashboard()
        started = time.monotonic()
        demo.watch(seconds)
        ran_s = time.monotonic() - started
        mark = instance.read_mark(config.instance)
    finally:
        demo.close()
    assert mark is not None
    facts = json.loads((Path(mark.run_folder) / "report.json").read_text(encoding="utf-8"))
    click.echo("\n".join(["", *report.lines(facts)]))
    if report_path is not None:
        report_path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    faults = verdict(facts, ran_s, capture is None)
    if faults:
        raise click.ClickException("; ".join(faults))


if __name__ == "__main__":
    main()
