"""An engine that runs on a local exchange, and what tests ask of the two."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from engines import Engine, Exchange, Watch
from proxy import Proxy

from procs.observe.samples import report
from procs.plan.instance import launch_path
from procs.plan.launch import read_launch
from procs.stages import book_stage
from procs.stages.gateway import context
from procs.stages.ingest import ingest_stage
from vortex import venues
from vortex.orders.order_table import is_open


@contextmanager
def started(exchange: Exchange, engine: Engine, *proxies: Proxy) -> "Iterator[Running]":
    """Start an engine; end it and all around it afterwards, whatever happens."""
    try:
        done = engine.start()
        assert done.returncode == 0, done.stdout + done.stderr
        yield Running(exchange, engine, engine.view(), proxies)
    finally:
        engine.close()
        for proxy in proxies:
            proxy.close()
        exchange.close()


class Running(NamedTuple):
    """An engine that trades, with everything around it."""

    exchange: Exchange
    engine: Engine
    view: Watch
    proxies: tuple[Proxy, ...] = ()

    @property
    def proxy(self) -> Proxy:
        """The proxy before the market data."""
        return self.proxies[0]

    def report(self) -> dict[str, Any]:
        """Return the report so far."""
        return report.make(self.view)

    def touch(self, instrument_id: int) -> Any:
        """Return what the book says of one instrument."""
        return self.view.records("touches")[instrument_id]

    def is_trading(self) -> Callable[[], bool]:
        """Return the condition that more orders were sent than now, all books being in sync."""
        before = self.report()["orders"]
        return lambda: self.view.books_in_sync() and self.report()["orders"] > before + 10

    def open_orders(self) -> int:
        """Return how many orders are open at the exchange."""
        return int(self.exchange.status()["open_order_count"])

    def count(self, role: str, counter: int) -> int:
        """Return one counter."""
        return self.view.counter(role, counter)

    def ingested(self, counter: ingest_stage.IngestCounter) -> int:
        """Return one counter of ingest, over all sources."""
        return report.ingest_sum(self.view, counter)

    def booked(self, counter: book_stage.BookCounter) -> int:
        """Return one counter of the book."""
        return self.count("book", counter)

    def gated(self, counter: context.GatewayCounter) -> int:
        """Return one counter of the gateway."""
        return self.count("gateway", counter)

    def orders_known(self) -> set[str]:
        """Return the client ids of the orders that the engine lists as open or perhaps open."""
        launch = read_launch(launch_path(self.engine.run_folder, "gateway"))
        venue = venues.account_of(launch.config.accounts[0].venue)
        epoch = int(self.view.status("gateway")["epoch"])
        return {
            venue.client_order_id(launch.run_id, epoch, int(row["order_id"]))
            for row in self.view.records("orders").copy()
            if is_open(int(row["state"]))
        }

    def agrees(self) -> bool:
        """Return whether the engine and the exchange name the same orders, and some."""
        known = self.orders_known()
        return bool(known) and known == self.exchange.open_client_ids() == self.orders_known()


def holds(pid: int, needle: bytes) -> bool:
    """Return whether a process has ``needle`` in memory that it may write."""
    with Path(f"/proc/{pid}/mem").open("rb") as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            bounds, access, *_ = line.split()
            if not access.startswith("rw"):
                continue
            start, end = (int(each, 16) for each in bounds.split("-"))
            memory.seek(start)
            if needle in memory.read(end - start):
                return True
    return False
