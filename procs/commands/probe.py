"""``vortexctl probe``: round-trip times to a venue's addresses."""

import sys
from pathlib import Path

import click

from procs.commands.common import EXIT_FAILED, EXIT_USAGE, echo_json, fail, output_option


@click.command("probe")
@click.argument("hosts", nargs=-1, metavar="[HOST[:PORT]|URL]...")
@click.option(
    "-c", "--config", "config_path", type=click.Path(dir_okay=False, path_type=Path),
    help="Also the addresses of this configuration, and its certificate authorities.",
)  # fmt: skip
@click.option(
    "-t", "--tries", type=click.IntRange(1, 1000), default=20, show_default=True,
    help="Tries of each address.",
)  # fmt: skip
@click.option(
    "--pause", "pause_s", type=click.FloatRange(0), default=0.1, show_default=True,
    help="Seconds between two tries of an address.",
)  # fmt: skip
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(0.01), default=3.0, show_default=True,
    help="Timeout of each answer, in seconds.",
)  # fmt: skip
@output_option
def command(
    hosts: tuple[str, ...], config_path: Path | None, tries: int, pause_s: float,
    timeout_s: float, output: str,
) -> None:  # fmt: skip
    """Measure round trips to every address of some hosts; exit 1 when none can be reached.

    Run it on each server that you consider.  It connects and makes the TLS handshake, if there is
    one, and sends nothing more.
    """
    from procs.connections import probe
    from procs.plan.config import load
    from procs.plan.errors import ConfigError

    ca_file, texts = None, list(hosts)
    try:
        if config_path is not None:
            config = load(config_path)
            ca_file = config.tls.ca_file
            texts += [url for each in config.sources for url in (each.stream_url, each.rest_url)]
            for account in config.accounts:
                urls = (account.order_url, account.private_url, account.rest_url)
                texts += [url for url in urls if url is not None]
        targets = probe.targets_of(texts)
    except ConfigError as error:
        fail(str(error))
    except probe.WrongTarget as error:
        fail(str(error), EXIT_USAGE)
    if not targets:
        fail("name a host, or a configuration: vortexctl probe -c FILE", EXIT_USAGE)
    addresses, unknown = [], {}
    for target in targets:
        try:
            addresses += probe.resolve(target)
        except OSError as error:
            unknown[target.name] = error.strerror or str(error)
    try:
        probe.probe(addresses, tries, timeout_s, pause_s, ca_file)
    except OSError as error:
        fail(str(error))
    report = probe.report(addresses, unknown)
    if output == "json":
        echo_json(report)
    else:
        click.echo("\n".join(probe.lines(report)))
    if report["nearest"] is None:
        sys.exit(EXIT_FAILED)
