"""A live screen in a terminal: pages of lines, drawn at an interval; needs textual."""

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from procs.observe.samples.rates import Rates
from procs.observe.samples.sample import Sample
from procs.observe.table_text import Line, Tone, fit
from procs.observe.watch import Watch

#: Returns the lines of one page from a sample, its rates and the width.
Page = Callable[[Sample, Rates, int], list[Line]]
#: The first picture does not wait a whole interval.
FIRST_S = 0.2


def styled(lines: list[Line]) -> Text:
    """Return lines with their tones as colours."""
    return Text("\n").join(Text(line.text, style=line.tone.value) for line in lines)


class LiveScreen(App[None]):
    """Pages, chosen by number; ``q`` leaves, the space bar freezes the picture."""

    CSS = """
    #page { height: auto; }
    #foot { dock: bottom; height: 1; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape", "quit", "leave", priority=True),
        Binding("space", "hold", "hold"),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self, heading: str, pages: dict[str, Page], watch: Watch, interval_s: float
    ) -> None:
        super().__init__()
        self.heading = heading
        self.pages = pages
        self.run_watch = watch
        self.seen: tuple[Sample, Rates] | None = None
        self.interval_s = interval_s
        self.page_name = next(iter(pages))
        self.is_held = False

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        with VerticalScroll():
            yield Static(id="page")
        yield Static(id="foot")

    def on_mount(self) -> None:
        """Begin to draw."""
        for number, name in enumerate(self.pages, start=1):
            self.bind(str(number), f"show('{name}')", description=name)
        self.set_timer(min(FIRST_S, self.interval_s), self.look)
        self.set_interval(self.interval_s, self.look)

    def on_resize(self) -> None:
        """Draw at the new width."""
        self.draw()

    def action_show(self, name: str) -> None:
        """Go to another page."""
        self.page_name = name
        self.draw()

    def action_hold(self) -> None:
        """Freeze the picture, or continue."""
        self.is_held = not self.is_held
        self.draw_foot()

    def look(self) -> None:
        """Take a new sample and draw it."""
        if not self.is_held:
            self.seen = self.run_watch.look()
            self.draw()

    def draw(self) -> None:
        """Draw the page of the last sample."""
        if self.seen is None:
            return
        # The bar of a page that is longer than the screen takes two columns.
        width = max(self.size.width - 2, 20)
        lines = self.pages[self.page_name](*self.seen, width)
        if self.run_watch.note:
            lines = [*fit([Line(self.run_watch.note, Tone.BAD)], width), *lines]
        self.query_one("#page", Static).update(styled(lines))
        self.draw_foot()

    def draw_foot(self) -> None:
        """Draw the line of keys."""
        names = [f"{number} {name}" for number, name in enumerate(self.pages, start=1)]
        keys = [
            *(names if len(names) > 1 else []),
            "space continue" if self.is_held else "space hold",
        ]
        foot = "  ".join([*keys, "q leave", self.heading])
        self.query_one("#foot", Static).update(Text(foot, no_wrap=True, overflow="ellipsis"))
