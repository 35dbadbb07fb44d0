"""THE wiring: every ring and table, its records, its one writer and its readers.

The supervisor creates what it lists, the stages attach to it, and the observers and documents read
it.  It is computed from the configuration, so a new source or instrument needs no rebuild.
"""

from dataclasses import dataclass

from ipc import control
from ipc.clock import CLOCK
from ipc.counters import COUNTERS
from ipc.histogram import HISTOGRAM
from ipc.layout import Layout
from ipc.log import EVENT_COUNT_MAX, EVENT_COUNTS, LOG
from ipc.meter import STALL
from ipc.segment import segment_name
from ipc.shared import RingSpec
from procs.plan.config import AccountConfig, Config
from procs.plan.run_records import (
    BLOCK,
    BLOCK_BYTES,
    HOPS,
    LOG_MARK,
    MERGE,
    OUTLIER,
    STEP,
)
from vortex.books import book
from vortex.deciding.sight import SEEN_LEVEL, SEEN_TRADE, TRADE_ROWS, VIEW
from vortex.orders.limits import LIMITS, ORDER_RATE, RATE_COUNT_MAX
from vortex.orders.quoting import QUOTE_COUNT, QUOTING, STANDING, WANTED
from vortex.records import (
    BALANCE,
    DEPTH,
    FEED,
    INSTRUMENT,
    LEVELS,
    MARKET_SLOT_BYTES,
    ORDER,
    ORDER_EVENT,
    POSITION,
    REQUEST,
    SEEN_FILLS,
    SENT,
    SHOWN_LEVELS,
    SHOWN_LEVELS_PER_RECORD,
    TICKER,
    TOP,
    TOP_SLOT_BYTES,
    TOUCH,
    TRADE,
)

SUPERVISOR = "supervisor"
#: The process that writes the hot loops' events to files (``procs/observe/events/log_writer.py``).
LOG_WRITER = "log_writer"
#: The supervisor's lock on every segment; stages lock role 0 of their own status.
SUPERVISOR_ROLE = 8
BOOK, STRATEGY, GATEWAY = "book", "strategy", "gateway"
#: The stages that follow ingest where there is one account.
AFTER_INGEST = (BOOK, STRATEGY, GATEWAY)

#: Rows of an order table at least, and for each quote: the open order, the one that is to replace
#: it, and those that have ended and wait for late reports.
ORDER_ROWS_MIN, ORDER_ROWS_PER_QUOTE = 256, 8
#: Records that observers can look back on.
SENT_ROWS, WORST_ROWS, STALL_ROWS = 4_096, 1_024, 4_096
LOG_ROWS = 4_096
MARKET_MESSAGE_MAX = 4_096


@dataclass(frozen=True)
class RingLink:
    """A ring: who writes it, who reads it (nobody: observers only)."""

    name: str
    spec: RingSpec
    writer: str
    reader: str | None


@dataclass(frozen=True)
class Table:
    """State of one owner that others read in place."""

    name: str
    layout: Layout
    count: int
    owner: str


@dataclass(frozen=True)
class AccountWiring:
    """One account: its gateway, the instruments that it trades, and what is its own.

    Where there are several, names of their stages end in ``-NAME`` and names of their rings and
    tables in ``.NAME``; a single account has neither.
    """

    account_id: int
    settings: AccountConfig
    role: str
    suffix: str
    instrument_ids: tuple[int, ...]

    def named(self, name: str) -> str:
        """Return what a ring or table of this account is called: ``orders``, ``orders.NAME``."""
        return name + self.suffix


@dataclass(frozen=True)
class Wiring:
    """All of it."""

    instance: str
    ingest_roles: tuple[str, ...]
    accounts: tuple[AccountWiring, ...]
    links: dict[str, RingLink]
    tables: dict[str, Table]

    @property
    def gateway_roles(self) -> list[str]:
        """The gateways, in the order of their accounts."""
        return [account.role for account in self.accounts]

    @property
    def roles_before_gateways(self) -> list[str]:
        """The stages without which no gateway may leave anything standing."""
        return [*self.ingest_roles, BOOK, STRATEGY]

    @property
    def roles(self) -> list[str]:
        """The stages, in the order in which a tick passes them."""
        return [*self.roles_before_gateways, *self.gateway_roles]

    def account_of(self, role: str) -> AccountWiring:
        """Return the account of a gateway."""
        return next(account for account in self.accounts if account.role == role)

    def account_for(self, instrument_id: int) -> AccountWiring:
        """Return the account that trades an instrument."""
        return next(each for each in self.accounts if instrument_id in each.instrument_ids)

    def hop_roles(self, gateway_role: str) -> list[int]:
        """Return the stages that an order of one gateway passed, by their place in ``roles``.

        That of the first hop is 0: which source it came from, the order itself says.
        """
        return [0, *(self.roles.index(role) for role in (BOOK, STRATEGY, gateway_role))]

    def segment(self, name: str) -> str:
        """Return the name of the segment that holds a ring or table."""
        return segment_name(self.instance, name)


# What each stage measures; the names are those of the report.
INGEST_LATENCIES: tuple[str, ...] = ()
BOOK_LATENCIES: tuple[str, ...] = ()
STRATEGY_LATENCIES = ("tick_to_decision_ns",)
GATEWAY_LATENCIES = (
    "tick_to_order_ns",
    "recv_to_order_ns",
    "newest_to_order_ns",
    *(f"{hop}_{part}_ns" for hop in HOPS for part in ("wait", "service")),
    "order_round_trip_ns",
)


def ingest_roles(config: Config) -> tuple[str, ...]:
    """Return the names of the ingest processes, one per source."""
    if len(config.sources) == 1:
        return ("ingest",)
    return tuple(f"ingest-{source.name}" for source in config.sources)


def account_wirings(config: Config) -> tuple[AccountWiring, ...]:
    """Return the accounts with the names of what is theirs."""
    is_one = len(config.accounts) == 1
    return tuple(
        AccountWiring(
            account_id,
            settings,
            GATEWAY if is_one else f"{GATEWAY}-{settings.name}",
            "" if is_one else f".{settings.name}",
            tuple(i for i, owner_id in enumerate(config.account_ids) if owner_id == account_id),
        )
        for account_id, settings in enumerate(config.accounts)
    )


def is_gateway(role: str) -> bool:
    """Return whether a role is a gateway's."""
    return role == GATEWAY or role.startswith(f"{GATEWAY}-")


def kind_of(role: str) -> str:
    """Return which of the four kinds of stage a role is: ingest, book, strategy or gateway."""
    if is_gateway(role):
        return GATEWAY
    return role if role in (BOOK, STRATEGY) else "ingest"


def order_rows(config: Config, account: AccountWiring) -> int:
    """Return the rows of an account's order table, a power of two.

    An order's number says its row, so a row is used again after as many orders as there are rows.
    """
    open_max = sum(
        max(QUOTE_COUNT, config.limits(config.choice(config.symbols[index])).open_orders)
        for index in account.instrument_ids
    )
    return max(ORDER_ROWS_MIN, 1 << (ORDER_ROWS_PER_QUOTE * open_max - 1).bit_length())


def market_ring(role: str) -> str:
    """Return the name of the ring that an ingest process writes."""
    return f"market.{role}"


def stall_ring(role: str) -> str:
    """Return the name of the ring on which a stage publishes its stalls."""
    return f"stalls.{role}"


def log_ring(role: str) -> str:
    """Return the name of the ring on which a stage tells its events."""
    return f"log.{role}"


def step_ring(role: str) -> str:
    """Return the name of the ring on which a stage logs its steps."""
    return f"steps.{role}"


def strategy_state(number: int) -> str:
    """Return the name of the table in which one of the run's strategies remembers things."""
    return f"strategy_state.{number}"


def sight_tables(config: Config) -> list[Table]:
    """Return the tables of what strategies see and remember, whose sizes follow the run."""
    count = len(config.symbols)
    level_count = max(2 * count * config.books.shown_levels, 1)
    states = [config.strategy(source).state for source in config.strategy_sources]
    return [
        Table("seen_levels", SEEN_LEVEL, level_count, STRATEGY),
        Table("seen_trades", SEEN_TRADE, TRADE_ROWS * count, STRATEGY),
        *(Table(strategy_state(n), state, count, STRATEGY) for n, state in enumerate(states)),
    ]


def tops_ring(config: Config) -> RingSpec:
    """Return the ring from the book to the strategy; a message is a TOP and its levels at most."""
    side_count = -(-config.books.shown_levels // SHOWN_LEVELS_PER_RECORD)
    capacity_count = 1 << config.rings.tops_bits
    layouts = (TOP, SHOWN_LEVELS, TRADE)
    return RingSpec(layouts, TOP_SLOT_BYTES, capacity_count, 1 + 2 * side_count, "publish_ns")


def watched(layout: Layout, count: int) -> RingSpec:
    """Return a ring of single records that only observers read, and nobody waits for."""
    return RingSpec((layout,), layout.dtype.itemsize, count, 1, "publish_ns", False)


def book_bytes(config: Config) -> int:
    """Return the memory of one book, in whole blocks."""
    need = book.book_bytes(config.books.levels, config.books.pending_records)
    return -(-need // BLOCK_BYTES) * BLOCK_BYTES


def account_tables(config: Config, account: AccountWiring) -> list[Table]:
    """Return the tables that the gateway of an account owns.

    ``positions`` has a row for every instrument, so that an instrument's number says its row.
    """
    balance_rows = 2 * len(account.instrument_ids)
    count = len(config.symbols)
    return [
        Table(account.named("orders"), ORDER, order_rows(config, account), account.role),
        Table(account.named("positions"), POSITION, count, account.role),
        Table(account.named("balances"), BALANCE, balance_rows, account.role),
        Table(account.named("order_rate"), ORDER_RATE, RATE_COUNT_MAX, account.role),
        Table(account.named("seen_fills"), SEEN_FILLS, count, account.role),
    ]


def account_links(config: Config, account: AccountWiring) -> list[RingLink]:
    """Return the rings between the strategy and an account's gateway, and those it reports in."""
    role, sizes = account.role, config.rings
    requests = RingSpec(
        (REQUEST,), REQUEST.dtype.itemsize, 1 << sizes.requests_bits, QUOTE_COUNT, "publish_ns"
    )
    events = RingSpec(
        (ORDER_EVENT,), ORDER_EVENT.dtype.itemsize, 1 << sizes.events_bits, 4, "publish_ns"
    )
    return [
        RingLink(account.named("requests"), requests, STRATEGY, role),
        RingLink(account.named("events"), events, role, STRATEGY),
        RingLink(account.named("sent"), watched(SENT, SENT_ROWS), role, None),
        RingLink(account.named("worst"), watched(OUTLIER, WORST_ROWS), role, None),
    ]


def wire(config: Config) -> Wiring:
    """Return the wiring of one configuration."""
    ingests = ingest_roles(config)
    accounts = account_wirings(config)
    gateways = [each.role for each in accounts]
    roles = [*ingests, BOOK, STRATEGY, *gateways]
    count = len(config.symbols)
    sizes = config.rings
    market = RingSpec(
        (DEPTH, LEVELS, TICKER, TRADE, FEED),
        MARKET_SLOT_BYTES,
        1 << sizes.market_bits,
        min(MARKET_MESSAGE_MAX, 1 << (sizes.market_bits - 1)),
        "publish_ns",
    )
    tops = tops_ring(config)
    steps = watched(STEP, 1 << sizes.steps_bits)
    block_count = count * (book_bytes(config) // BLOCK_BYTES)
    # fmt: off
    links = [
        *(RingLink(market_ring(role), market,   role,     BOOK)     for role in ingests),
        RingLink("tops",              tops,     BOOK,     STRATEGY),
        *(link for each in accounts for link in account_links(config, each)),
        *(RingLink(step_ring(role), steps, role, None) for role in roles),
        *(RingLink(stall_ring(role), watched(STALL, STALL_ROWS), role, None) for role in roles),
        *(RingLink(log_ring(role), watched(LOG, LOG_ROWS), role, None) for role in roles),
    ]
    latencies = {BOOK: BOOK_LATENCIES, STRATEGY: STRATEGY_LATENCIES}
    latencies |= dict.fromkeys(gateways, GATEWAY_LATENCIES)
    tables = [
        Table("clock",            CLOCK,           1,           SUPERVISOR),
        Table("commands",         control.COMMAND, len(roles),  SUPERVISOR),
        Table("instruments",      INSTRUMENT,      count,       SUPERVISOR),
        Table("limits",           LIMITS,          count,       SUPERVISOR),
        Table("quoting",          QUOTING,         1,           SUPERVISOR),
        Table("touches",          TOUCH,           count,       BOOK),
        Table("books",            BLOCK,           block_count, BOOK),
        Table("merge.book",       MERGE,           count,       BOOK),
        Table("merge.strategy",   MERGE,           count,       STRATEGY),
        Table("newest_tops",      TOP,             count,       STRATEGY),
        Table("standing",         STANDING,        count,       STRATEGY),
        Table("wanted",           WANTED,          count,       STRATEGY),
        Table("view",             VIEW,            count,       STRATEGY),
        *sight_tables(config),
        *(table for each in accounts for table in account_tables(config, each)),
        Table("log_marks",        LOG_MARK,        len(roles),  LOG_WRITER),
        *(Table(f"status.{role}",   control.STATUS, 1, role) for role in roles),
        *(Table(f"counters.{role}", COUNTERS,       1, role) for role in roles),
        *(Table(f"event_counts.{role}", EVENT_COUNTS, EVENT_COUNT_MAX, role) for role in roles),
        *(Table(f"latency.{role}",  HISTOGRAM, len(names), role)
          for role, names in latencies.items() if names),
    ]
    # fmt: on
    return Wiring(
        config.instance,
        ingests,
        accounts,
        {link.name: link for link in links},
        {table.name: table for table in tables},
    )
