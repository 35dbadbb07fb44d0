"""Pictures of the dashboard for the documents: ``python -m tools.screenshots URL``.

Needs a dashboard that shows a run, and Chromium.
"""

import re
from pathlib import Path
from typing import Any

import click
from playwright.sync_api import expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FOLDER = Path(__file__).resolve().parent.parent / "docs" / "dashboard"
LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SECOND_MS = 1_000

#: File, page, size of the screen, theme.
PICTURES = (
    ("pipeline", "pipeline", LAPTOP, "light"),
    ("latency", "latency", LAPTOP, "light"),
    ("venue", "venue", LAPTOP, "light"),
    ("book", "book", LAPTOP, "dark"),
    ("machine", "machine", LAPTOP, "light"),
    ("log", "log", LAPTOP, "dark"),
    ("phone", "latency", PHONE, "light"),
)  # fmt: skip


def take(browser: Any, url: str, name: str, page_name: str, size: Any, theme: str) -> None:
    """Take one picture of one page, when it has drawn a few columns."""
    page = browser.new_page(viewport=size, color_scheme=theme)
    page.goto(url)
    expect(page.locator("#state")).to_have_text(re.compile("trading"), timeout=30 * SECOND_MS)
    page.locator(f"#tabs a[href='#{page_name}']").click()
    page.wait_for_timeout(3 * SECOND_MS)
    page.screenshot(path=FOLDER / f"{name}.png", full_page=size is LAPTOP)
    page.close()


@click.command(help=__doc__)
@click.argument("url")
def main(url: str) -> None:
    """Take all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for picture in PICTURES:
            take(browser, url, *picture)
            click.echo(f"{picture[0]}.png")
        browser.close()


if __name__ == "__main__":
    main()
