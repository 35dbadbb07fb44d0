"""Run the local exchange: `python -m procs.exchange`.

On ready, one JSON line on standard output: `{"rest_port": ..., "ws_port": ...}`.  SIGTERM and
SIGINT stop it cleanly.  The account's key comes from VORTEX_API_KEY and VORTEX_API_SECRET.
"""

import asyncio
import gc
import json
import logging
import os
import signal
import sys
from pathlib import Path

import click
import msgspec

from ipc.compiled import cache_directory
from procs.exchange.config import ConfigError, load_config
from procs.exchange.server import Exchange, Server

logger = logging.getLogger("procs.exchange")

KEY_VARIABLE, SECRET_VARIABLE = "VORTEX_API_KEY", "VORTEX_API_SECRET"


async def serve(server: Server, rest_port: int, ws_port: int) -> None:
    """Listen, say so, and run until a signal comes."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await server.start(rest_port, ws_port)
    gc.collect()
    gc.freeze()
    ports = {"rest_port": server.rest_port, "ws_port": server.ws_port}
    print(json.dumps(ports), flush=True)
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
    """Return the factor of a replay's speed; 0 for `max`."""
    if text == "max":
        return 0.0
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise ConfigError(f"--speed {text}: give a number above zero, or max")
    return speed


@click.command(help=__doc__)
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="TOML file.")
@click.option("--rest-port", default=0, help="Port of REST; 0 takes any free one.")
@click.option("--ws-port", default=0, help="Port of streams and WebSocket API.")
@click.option("--seed", type=int, help="Seed of the market; overrides the file.")
@click.option("--capture", type=click.Path(path_type=Path), help="Replay this recording.")
@click.option("--speed", default="1", help="Of the replay: a factor, or max.")
@click.option("--request-log", type=click.Path(path_type=Path), help="Write requests here.")
@click.option("--report", type=click.Path(path_type=Path), help="Write a report on exit.")
@click.option("--cpu", type=int, help="Pin the process to this CPU.")
def main(
    config_path: Path | None,
    rest_port: int,
    ws_port: int,
    seed: int | None,
    capture: Path | None,
    speed: str,
    request_log: Path | None,
    report: Path | None,
    cpu: int | None,
) -> None:
    """Start the exchange, and leave with its report."""
    logging.basicConfig(level=logging.WARNING, format="exchange: %(message)s")
    logger.setLevel(logging.INFO)
    api_key, api_secret = os.environ.get(KEY_VARIABLE), os.environ.get(SECRET_VARIABLE)
    if not api_key or not api_secret:
        sys.exit(f"set {KEY_VARIABLE} and {SECRET_VARIABLE} to the key of the account to serve")
    try:
        config = load_config(config_path)
    except ConfigError as error:
        sys.exit(str(error))
    if seed is not None:
        config = msgspec.structs.replace(config, seed=seed)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    if not cache_directory().is_dir():
        logger.info("compiling the market, which takes up to a minute the first time")
    exchange = Exchange(config, api_key, api_secret)
    if capture is None:
        exchange.open_simulated()
    else:
        try:
            exchange.open_recording(capture, read_speed(speed))
        except ConfigError as error:
            sys.exit(str(error))
    asyncio.run(serve(Server(exchange, request_log), rest_port, ws_port))
    if report is not None:
        report.write_text(json.dumps(exchange.report(), indent=1))


if __name__ == "__main__":
    main()
