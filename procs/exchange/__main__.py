"""Run the local exchange: `python -m procs.exchange`.

On ready, one JSON line on standard output: `{"rest_port": ..., "ws_port": ..., "sbe_port": ...}`
for Binance, and for each of Bybit's dialects its addresses, `"bybit_linear": {"stream_url": ...}`.
SIGTERM and SIGINT stop it cleanly.  The account's key comes from VORTEX_API_KEY and
VORTEX_API_SECRET, those of further accounts from VORTEX_API_KEY_2 and VORTEX_API_SECRET_2, and so
on.  For an Ed25519 key, the secret is the PEM of the public key.
"""

import asyncio
import gc
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from ipc import code_cache
from procs.exchange.core.certificate import make_context
from procs.exchange.core.exchange_config import ExchangeConfigError, load_config
from procs.exchange.exchange import Exchange, look_at_recording
from procs.exchange.exchange_server import Server
from procs.exchange.recordings.recorded_rows import RecordedSymbols, configured

logger = logging.getLogger("procs.exchange")

KEY_VARIABLE, SECRET_VARIABLE = "VORTEX_API_KEY", "VORTEX_API_SECRET"


def read_keys() -> list[tuple[str, str]]:
    """Return the accounts' keys and secrets, from the environment."""
    keys: list[tuple[str, str]] = []
    while True:
        suffix = f"_{len(keys) + 1}" if keys else ""
        names = (KEY_VARIABLE + suffix, SECRET_VARIABLE + suffix)
        key, secret = (os.environ.get(name, "") for name in names)
        if key and secret:
            keys.append((key, secret))
        elif key or secret or not keys:
            text = f"set {names[0]} and {names[1]} to the key of an account to serve"
            raise ExchangeConfigError(text)
        else:
            return keys


async def serve(server: Server, ports: Mapping[str, int]) -> None:
    """Listen, say so, and run until a signal comes."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    ready = await server.start(ports)
    gc.collect()
    gc.freeze()
    print(json.dumps(ready), flush=True)
    market = asyncio.ensure_future(server.run_market())
    stopped = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({market, stopped}, return_when=asyncio.FIRST_COMPLETED)
    failure = market.exception() if market.done() else None
    market.cancel()
    stopped.cancel()
    await server.stop()
    if failure is not None:
        raise failure


def read_speed(text: str) -> float:
    """Return the factor of the market's speed; 0 for `max`."""
    if text == "max":
        return 0.0
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise ExchangeConfigError(f"--speed {text}: give a number above zero, or max")
    return speed


@click.command(help=__doc__)
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="TOML file.")
@click.option("--rest-port", default=0, help="Port of REST; 0 takes any free one.")
@click.option("--ws-port", default=0, help="Port of streams and WebSocket API.")
@click.option("--sbe-port", default=0, help="Port of the binary streams.")
@click.option("--bybit-rest-port", default=0, help="Port of Bybit's REST.")
@click.option("--bybit-ws-port", default=0, help="Port of Bybit's WebSockets.")
@click.option("--seed", type=int, help="Seed of the market; overrides the file.")
@click.option("--life", default=0, help="How often it was started before: ids go on above those.")
@click.option("--capture", type=click.Path(path_type=Path), help="Replay this recording.")
@click.option("--reference", type=click.Path(path_type=Path),
              help="Reference data of its symbols: exchangeInfo, instruments-info.")  # fmt: skip
@click.option("--speed", default="1", help="Of the market: a factor; of a recording also max.")
@click.option("--request-log", type=click.Path(path_type=Path), help="Write requests here.")
@click.option("--report", type=click.Path(path_type=Path), help="Write a report on exit.")
@click.option("--audit", is_flag=True, help="Open the books: GET /vortex/audit.")
@click.option("--faults", is_flag=True, help="Open the books, and POST /vortex/faults.")
@click.option("--tls", "ca_path", type=click.Path(path_type=Path),
              help="Speak TLS; write the authority to trust here.")  # fmt: skip
@click.option("--cpu", type=int, help="Pin the process to this CPU.")
def main(
    config_path: Path | None,
    rest_port: int,
    ws_port: int,
    sbe_port: int,
    bybit_rest_port: int,
    bybit_ws_port: int,
    seed: int | None,
    life: int,
    capture: Path | None,
    reference: Path | None,
    speed: str,
    request_log: Path | None,
    report: Path | None,
    audit: bool,
    faults: bool,
    ca_path: Path | None,
    cpu: int | None,
) -> None:
    """Start the exchange, and leave with its report."""
    logging.basicConfig(level=logging.WARNING, format="exchange: %(message)s")
    logger.setLevel(logging.INFO)
    try:
        keys, config = read_keys(), load_config(config_path)
    except ExchangeConfigError as error:
        sys.exit(str(error))
    recorded: RecordedSymbols | None = None
    if seed is not None:
        config = msgspec.structs.replace(config, seed=seed)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    if capture is None and not code_cache.has_code_of("vortex.simulation.matching"):
        logger.info("compiling the market, which takes up to a minute the first time")
    try:
        if capture is not None:
            recorded = look_at_recording(capture, config, reference)
            config = configured(config, recorded)
            for remark in recorded.remarks:
                logger.info("%s", remark)
        exchange = Exchange(config, keys)
        if recorded is None:
            factor = read_speed(speed)
            if factor == 0:
                raise ExchangeConfigError("--speed max is for a recording: give a factor")
            exchange.open_simulated(life, factor)
        else:
            exchange.open_recording(recorded, read_speed(speed))
    except ExchangeConfigError as error:
        sys.exit(str(error))
    tls = None if ca_path is None else make_context(ca_path)
    server = Server(exchange, request_log, has_faults=faults, has_audit=audit, tls=tls)
    ports = {"binance.rest": rest_port, "binance.ws": ws_port, "binance.sbe": sbe_port}
    ports |= {"bybit.rest": bybit_rest_port, "bybit.ws": bybit_ws_port}
    asyncio.run(serve(server, ports))
    if report is not None:
        report.write_text(json.dumps(exchange.report(), indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
