// The state of market data, and the venue's answers to orders.

import { LineChart } from "../charts.js";
import { figures, list, make, panel, table, text } from "../dom.js";
import { count, micros, millis, nanos, rate, size } from "../format.js";

const OLD_MS = 2000;

export class Venue {
  constructor(main) {
    const feeds = panel("Books at the venue");
    this.feeds = table(feeds.body, [
      { label: "symbol", left: true, of: (row) => row.symbol },
      { label: "book", left: true, of: (row) => (row.in_sync ? "● in sync" : `■ ${row.state}`), class: (row) => (row.in_sync ? "good" : "bad") },
      { label: "age of newest frame", of: (row) => millis(row.age_ms), class: (row) => (row.age_ms > OLD_MS ? "warn" : "") },
      { label: "venue's stamp to us", of: (row) => millis(row.lag_ms) },
      { label: "gaps", of: (row) => count(row.gaps), class: (row) => (row.gaps ? "warn" : "") },
      { label: "snapshots asked", of: (row) => count(row.snapshots) },
      { label: "levels", of: (row) => row.levels.map(count).join(" / ") },
      { label: "update", of: (row) => row.update_id },
    ]);
    const sources = panel("Market data", "half");
    this.sources = table(sources.body, [
      { label: "source", left: true, of: (row) => row.role },
      { label: "messages/s", of: (row) => rate(row.messages_per_s) },
      { label: "bytes/s", of: (row) => size(row.bytes_per_s) },
      { label: "messages", of: (row) => count(row.messages) },
      { label: "connects", of: (row) => count(row.connections) },
      { label: "lost", of: (row) => count(row.disconnections), class: (row) => (row.disconnections ? "warn" : "") },
      { label: "invalid", of: (row) => count(row.invalid), class: (row) => (row.invalid ? "bad" : "") },
      { label: "general path", of: (row) => count(row.general) },
    ]);
    this.refusals = make("p", { class: "muted" });
    sources.body.append(this.refusals);
    const budget = panel("Rate budget", "half");
    this.meter = make("div", { class: "meter" }, make("i"));
    this.budgetNote = budget.note;
    budget.body.append(this.meter);
    this.budget = figures(budget.body);
    const trip = panel("Order round trip", "half");
    this.tripNote = trip.note;
    this.chart = new LineChart(trip.body, {
      series: [
        { label: "P50", colour: "hop-ingest" }, { label: "P90", colour: "hop-book" },
        { label: "P99", colour: "hop-gateway" }, { label: "max", colour: "muted", dash: [2, 3], width: 1 },
      ],
      unit: micros, log: true,
    });
    const orders = panel("Orders at the venue", "half");
    this.orderNote = orders.note;
    this.orders = figures(orders.body);
    orders.body.append(make("h2", { class: "spaced", textContent: "Rejects" }));
    this.rejects = table(orders.body, [
      { label: "reason", left: true, of: (row) => row[0].replaceAll("_", " ") },
      { label: "by", left: true, of: (row) => (row[0].startsWith("venue_") ? "venue" : "our limits") },
      { label: "count", of: (row) => count(row[1]) },
    ]);
    this.accountsPanel = panel("Accounts");
    this.accounts = table(this.accountsPanel.body, [
      { label: "account", left: true, of: (row) => row.name },
      { label: "gateway", left: true, of: (row) => row.role },
      { label: "venue", left: true, of: (row) => row.venue },
      { label: "symbols", left: true, of: (row) => row.symbols.join(", ") },
      { label: "placed", of: (row) => count(row.orders.placed) },
      { label: "replaced", of: (row) => count(row.orders.replaced) },
      { label: "cancelled", of: (row) => count(row.orders.canceled) },
      { label: "fills", of: (row) => count(row.orders.fills) },
      { label: "links lost", of: (row) => count(row.orders.disconnections), class: (row) => (row.orders.disconnections ? "warn" : "") },
      { label: "budget left", of: (row) => count(row.budget.most - row.budget.used) },
    ]);
    main.append(feeds.element, this.accountsPanel.element, trip.element, orders.element, sources.element, budget.element);
  }

  series() {
    return ["latency.order_round_trip_ns"];
  }

  draw(history) {
    this.chart.set(history.time, [0, 1, 2, 4].map((index) => history.line("latency.order_round_trip_ns", index)));
  }

  show(facts) {
    this.feeds(facts.feeds);
    this.sources(facts.sources);
    this.accountsPanel.element.hidden = facts.accounts.length < 2;
    this.accounts(facts.accounts);
    const refused = Object.entries(facts.refusals).map(([reason, n]) => `${count(n)} ${reason.replaceAll("_", " ")}`);
    text(this.refusals, refused.length ? `Messages refused: ${refused.join(", ")}` : "No message was refused.");
    const { used, most, window_s: window, blocked_s: blocked } = facts.budget;
    this.meter.firstChild.style.width = `${most ? Math.min(100 * used / most, 100) : 0}%`;
    this.meter.classList.toggle("full", used > 0.8 * most);
    text(this.budgetNote, `new orders in the venue's window of ${window} s`);
    this.budget([
      ["Used", count(used)], ["Ours to use", count(most)], ["Left", count(most - used)],
      ["Blocked by the venue", blocked > 0 ? `${blocked.toFixed(1)} s` : "no", blocked > 0 ? "bad" : ""],
    ]);
    const run = facts.round_trip.run ?? {};
    text(this.tripNote, `whole run: ${count(run.count)} answers, P50 ${nanos(run.p50)}, P99 ${nanos(run.p99)}`);
    const o = facts.orders;
    text(this.orderNote, facts.order_url);
    this.orders([
      ["Placed", count(o.placed)], ["Replaced", count(o.replaced)], ["Cancelled", count(o.canceled)],
      ["Fills", count(o.fills)], ["Connects", count(o.connections)],
      ["Links lost", count(o.disconnections), o.disconnections ? "warn" : ""],
      ["Not answered in time", count(o.timeouts), o.timeouts ? "warn" : ""],
      ["Unreadable", count(o.invalid), o.invalid ? "bad" : ""],
    ]);
    this.rejects(Object.entries(facts.rejects).sort((a, b) => b[1] - a[1]));
  }

  close() {
    this.chart.close();
  }
}
