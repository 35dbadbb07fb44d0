// Joins the parts: tabs, headline, freshness, and the current page.

import "./act.js";
import { list, make, mark, text } from "./dom.js";
import { count, micros, money, rate, span } from "./format.js";
import { History } from "./history.js";
import { Link } from "./link.js";
import { startTheme } from "./theme.js";
import { Book } from "./pages/book.js";
import { Latency } from "./pages/latency.js";
import { Log } from "./pages/log.js";
import { Machine } from "./pages/machine.js";
import { Pipeline } from "./pages/pipeline.js";
import { Venue } from "./pages/venue.js";

const PAGES = { pipeline: Pipeline, latency: Latency, venue: Venue, book: Book, machine: Machine, log: Log };
const LEVELS = {
  live: "good", silent: "bad", stale: "bad", orphaned: "bad", unreadable: "bad",
  pulled: "warn", starting: "warn", connecting: "warn", ended: "warn", absent: "warn",
};

const main = document.getElementById("page");
const banner = document.getElementById("banner");
const pill = document.getElementById("state");
const history = new History();
let page = null, head = null, fresh = false, age = Infinity;

function pageName() {
  const name = location.hash.slice(1);
  return name in PAGES ? name : "pipeline";
}

function open() {
  const name = pageName();
  page?.close?.();
  main.replaceChildren();
  history.clear();
  page = new PAGES[name](main, () => link.wish(name, page.series()));
  page.name = name;
  document.title = `Vortex · ${name}`;
  for (const tab of document.querySelectorAll("#tabs a")) {
    if (tab.hash === `#${name}`) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  link.wish(name, page.series());
}

function onFrame({ header, arrays }, isLast) {
  head = header.head;
  const isForPage = header.page === page.name;
  const hasColumns = isForPage && header.first !== undefined && history.take(header.first, arrays);
  if (isForPage && header.lines && page.take) page.take(header.lines);
  if (hasColumns) page.draw?.(history);
  if (isForPage && isLast && header.facts) page.show(header.facts, head);
  if (isLast) showHead();
}

function showHead() {
  text(document.getElementById("run"), head.instance
    ? `${head.instance} · run ${head.run_id} · ${span(head.seconds)}` : "");
  list(document.getElementById("headline"), head.instance ? headline() : [],
    () => make("div", {}, make("dt"), make("dd")),
    (box, [label, value, level]) => {
      text(box.firstChild, label);
      text(box.lastChild, value);
      box.lastChild.className = level ?? "";
    });
  showState();
}

function headline() {
  return [
    ["Stages ready", `${head.stages_ready} / ${head.stage_count}`, head.is_ready ? "" : "bad"],
    ["Messages/s", rate(head.messages_per_s)],
    ["Orders/s", rate(head.orders_per_s)],
    ["Tick to order", micros(head.p50_us)],
    ["its P99", micros(head.p99_us)],
    ["Fills", count(head.fills)],
    ["Profit", money(head.pnl)],
    ["Dropped", count(head.dropped), head.dropped ? "bad" : ""],
  ];
}

// The one place that shows whether the page is up to date.
function showState() {
  let state = head?.state ?? "connecting", note = head?.note ?? "";
  if (!fresh && head) {
    state = "stale";
    note = `Stale: no data from the dashboard's server for ${span(age / 1e3)}. Trying again…`;
  } else if (state === "live" && (head.is_pulled || !head.is_ready)) {
    state = "pulled";
    note = head.is_ready ? "Quotes are pulled." : "Not every stage is ready: quotes are pulled.";
  }
  const words = { live: "trading", pulled: "not quoting", orphaned: "no supervisor", absent: "not running" };
  text(pill, words[state] ?? state);
  mark(pill, "state", state);
  mark(pill, "level", LEVELS[state] ?? "warn");
  mark(banner, "level", LEVELS[state] ?? "warn");
  text(banner, note);
  banner.hidden = !note;
  mark(document.body, "fresh", ["stale", "silent", "ended", "unreadable"].includes(state) ? "no" : "yes");
}

document.getElementById("tabs").append(...Object.keys(PAGES).map((name) =>
  make("a", { href: `#${name}` }, name[0].toUpperCase() + name.slice(1),
    make("span", { textContent: name === "book" ? " & orders" : "" }))));
startTheme(document.getElementById("theme"));
const link = new Link(onFrame, (isFresh, howOld) => {
  fresh = isFresh;
  age = howOld;
  showState();
});
addEventListener("hashchange", open);
open();
