"""The dashboard in a real browser: every page live, nothing from elsewhere, stale and recovered."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashboards import Dashboard
from engines import Engine, Exchange, until
from running import Running

from procs.dashboard.pages import PAGES

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

CHROMIUM = Path("/usr/bin/chromium")

pytestmark = [
    pytest.mark.timeout(1000),  # it may be the first to need the compiler
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}"),
]

#: What each page shows once it is live: a selector, and the text that must be there.
LIVE = {
    "pipeline": (".stage[data-role=gateway] .name", re.compile("ready")),
    "latency": ("tr.chosen td:nth-child(3)", re.compile("[µm]s")),
    "venue": ("td.good", re.compile("in sync")),
    "book": (".ladder tr.bid td:nth-child(3)", re.compile(r"\d")),
    "machine": ("table td:nth-child(4)", re.compile("%")),
    "log": (".log [data-level=event] .text", re.compile("started")),
}
PATIENCE_MS = 60_000

#: How much of the page's canvases is painted: their count, and that of those with any pixel set.
PAINTED = """() => {
  const all = [...document.querySelectorAll('main canvas')];
  const painted = all.filter((canvas) => {
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    return data.some((value, index) => index % 4 === 3 && value > 0);
  });
  return [all.length, painted.length];
}"""


@pytest.fixture(scope="module")
def trading(market: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An engine that trades."""
    engine = Engine.on(tmp_path_factory.mktemp("trading"), market)
    done = engine.start()
    assert done.returncode == 0, done.stdout + done.stderr
    yield Running(market, engine, engine.view())
    engine.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser without a window."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


class Visit:
    """One page of a browser, and whatever it should not have said or asked for."""

    def __init__(self, chromium: Any, dashboard: Dashboard, **settings: Any) -> None:
        self.context = chromium.new_context(**settings)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("console", self.hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.note(request.url, dashboard.host))
        self.page.on("websocket", lambda socket: self.note(socket.url, dashboard.host))
        self.page.goto(dashboard.url)

    def hear(self, message: Any) -> None:
        """Keep the errors and warnings of the console."""
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def note(self, url: str, host: str) -> None:
        """Keep the addresses that are not the dashboard's."""
        if not url.startswith((f"http://{host}/", f"ws://{host}/")):
            self.elsewhere.append(url)

    def open(self, name: str) -> None:
        """Go to one page by its tab."""
        self.page.locator(f"#tabs a[href='#{name}']").click()

    def sees(self, selector: str, what: Any) -> None:
        """Wait until the first of what ``selector`` finds says ``what``."""
        expect(self.page.locator(selector).first).to_have_text(what, timeout=PATIENCE_MS)


@pytest.fixture
def dashboard(trading: Running) -> Iterator[Dashboard]:
    """A dashboard of the engine."""
    running = Dashboard(trading.engine.name, trading.engine.folder)
    yield running
    running.close()


@pytest.fixture
def visit(chromium: Any, dashboard: Dashboard) -> Iterator[Visit]:
    """A visit that must end without complaint."""
    made = Visit(chromium, dashboard)
    yield made
    made.context.close()
    assert made.complaints == []
    assert made.elsewhere == []


def test_the_pages_are_those_that_the_server_makes() -> None:
    assert list(LIVE) == list(PAGES)


def test_every_page_shows_live_data(visit: Visit) -> None:
    visit.sees("#state", "trading")
    for name, (selector, what) in LIVE.items():
        visit.open(name)
        visit.sees(selector, what)
        # Charts are drawn once the first column is there.
        until(lambda: len(set(visit.page.evaluate(PAINTED))) == 1, f"{name} is painted")
    count_before = visit.page.locator("#headline dd").nth(5).inner_text()
    expect(visit.page.locator("#headline dd").nth(5)).not_to_have_text(
        count_before, timeout=PATIENCE_MS
    )


def test_a_hop_is_drawn_when_it_is_picked(visit: Visit) -> None:
    visit.open("latency")
    visit.page.get_by_role("cell", name="gateway service", exact=True).click()
    visit.sees("tr.chosen td", "gateway service")
    visit.sees(".panel .title .muted", re.compile("gateway service, of the 10 s"))


def test_it_says_stale_when_its_server_is_gone_and_recovers(
    trading: Running, chromium: Any, dashboard: Dashboard
) -> None:
    visit = Visit(chromium, dashboard)
    visit.sees("#state", "trading")
    dashboard.kill()
    visit.sees("#state", "stale")
    visit.sees("#banner", re.compile("^Stale: .* Trying again"))
    assert visit.page.locator("body").get_attribute("data-fresh") == "no"
    again = Dashboard(trading.engine.name, trading.engine.folder, "--port", str(dashboard.port))
    try:
        visit.sees("#state", "trading")
        expect(visit.page.locator("#banner")).to_be_hidden()
        # The one thing that a browser itself complains of: nobody answered for a while.
        refused = re.compile("ERR_CONNECTION_REFUSED|Error in connection|ERR_CONNECTION_RESET")
        assert [each for each in visit.complaints if not refused.search(each)] == []
        assert visit.elsewhere == []
    finally:
        visit.context.close()
        again.close()


@pytest.mark.parametrize("name", list(LIVE))
def test_nothing_sticks_out_on_a_phone(chromium: Any, dashboard: Dashboard, name: str) -> None:
    visit = Visit(chromium, dashboard, viewport={"width": 360, "height": 740}, is_mobile=True)
    visit.sees("#state", "trading")
    visit.open(name)
    selector, what = LIVE[name]
    visit.sees(selector, what)
    page_width, tabs_width = visit.page.evaluate(
        "() => [document.documentElement.scrollWidth, document.getElementById('tabs').scrollWidth]"
    )
    assert page_width <= 360
    assert tabs_width <= 360, "every page can be reached with a thumb"
    visit.context.close()


def test_the_theme_is_the_systems_until_it_is_chosen(chromium: Any, dashboard: Dashboard) -> None:
    visit = Visit(chromium, dashboard, color_scheme="dark")
    root = visit.page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    visit.page.emulate_media(color_scheme="light")
    expect(root).to_have_attribute("data-theme", "light")
    for wanted in ("light", "dark"):
        visit.page.locator("#theme").click()
        expect(root).to_have_attribute("data-theme", wanted)
    visit.page.reload()
    expect(root).to_have_attribute("data-theme", "dark")
    visit.context.close()


def test_who_has_no_token_can_only_look(chromium: Any, dashboard: Dashboard) -> None:
    dashboard.url = dashboard.url.partition("#")[0]
    visit = Visit(chromium, dashboard)
    expect(visit.page.locator("button.danger").first).to_be_disabled()
    expect(visit.page.locator(".acts button").first).to_be_disabled()
    visit.context.close()


def test_the_token_does_not_stay_in_the_address(visit: Visit) -> None:
    visit.sees("#state", "trading")
    assert "token" not in visit.page.url


def test_the_kill_asks_first_and_then_ends_the_run(trading: Running, visit: Visit) -> None:
    """The last test of this engine: it ends it."""
    kill = visit.page.get_by_role("button", name="Kill: pull quotes and end the run")
    kill.click()
    visit.page.get_by_role("button", name="Keep running").click()
    until(trading.is_trading(), "it trades on")
    kill.click()
    visit.page.locator("#confirm-yes").click()
    visit.sees("#state", "ended")
    until(trading.engine.has_left_nothing, "the engine is gone")
