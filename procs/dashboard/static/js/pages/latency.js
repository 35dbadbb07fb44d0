// Where the time goes: percentiles over time, the heat map, every hop, and the slowest orders.

import { LineChart } from "../charts.js";
import { choice, list, make, mark, panel, table, text } from "../dom.js";
import { clock, count, micros, words } from "../format.js";
import { HeatMap } from "../heat.js";

const PERCENTILES = [["p50", 0], ["p90", 1], ["p99", 2], ["p99_9", 3], ["max", 4]];

export class Latency {
  constructor(main, rewish) {
    this.rewish = rewish;
    this.hop = "tick_to_order_ns";
    this.span = "last 10 s";
    const over = panel("Percentiles over time", "half");
    const heat = panel("Heat map", "half");
    this.overNote = over.note;
    this.heatNote = heat.note;
    this.chart = new LineChart(over.body, {
      series: [
        { label: "P50", colour: "hop-ingest" }, { label: "P90", colour: "hop-book" },
        { label: "P99", colour: "hop-gateway" }, { label: "P99.9", colour: "hop-strategy" },
        { label: "max", colour: "muted", dash: [2, 3], width: 1 },
      ],
      unit: micros, log: true, height: 232,
    });
    this.heat = new HeatMap(heat.body);
    this.spans = choice(["last 10 s", "whole run"], this.span, (span) => { this.span = span; });
    const hops = panel("Every hop", "", make("span", { class: "push" }, this.spans.element));
    hops.note.textContent = "pick a row to draw it; a percentile needs ten values beyond it";
    this.hops = table(hops.body, [
      { label: "span of time", left: true, of: (row) => row.label },
      { label: "count", of: (row) => count(row.count) },
      ...PERCENTILES.map(([key]) => ({ label: key.replace("p", "P").replace("_", "."), of: (row) => micros(row[key]) })),
    ], {
      onPick: (row) => { this.hop = row.name; this.rewish(); },
      rowClass: (row) => `${row.name === this.hop ? "chosen" : ""} ${row.apart ? "apart" : ""}`,
    });
    this.worst = panel("The worst twenty orders of the last minute");
    this.key = make("div", { class: "key" });
    this.worst.body.append(this.key);
    this.orders = table(this.worst.body, [
      { label: "at", left: true, of: (row) => clock(row.wall_ms, true) },
      { label: "order", left: true, of: (row) => `${row.kind} ${row.side} ${row.symbol} ${row.price}`, class: (row) => row.side },
      { label: "tick to order", of: (row) => micros(row.total_us) },
      { label: "where it went", left: true, draw: drawParts },
      { label: "CPU away", of: (row) => micros(row.lost_us) },
      { label: "cause", left: true, wrap: true, of: (row) => row.cause },
    ], { empty: "no order in the last minute" });
    main.append(over.element, heat.element, hops.element, this.worst.element);
  }

  series() {
    return [`latency.${this.hop}`, `heat.${this.hop}`];
  }

  draw(history) {
    const name = `latency.${this.hop}`;
    if (!history.series[name]) return;
    this.chart.set(history.time, PERCENTILES.map(([, index]) => history.line(name, index)));
    this.heat.set(history.time, history.series[`heat.${this.hop}`]);
  }

  show(facts) {
    this.spans.show(["last 10 s", "whole run"], this.span);
    text(this.overNote, `${words(this.hop)}, of the 10 s before each moment`);
    text(this.heatNote, `${words(this.hop)}, a column a second`);
    const source = this.span === "whole run" ? facts.run : facts.recent;
    const scale = this.span === "whole run" ? 1e-3 : 1;
    const isHop = (name) => facts.hops.some((hop) => name.startsWith(`${hop}_`));
    this.hops(facts.names.map((name, index) => {
      const values = source[name] ?? {};
      const row = { name, label: (isHop(name) ? "   " : "") + words(name), count: values.count, apart: index > 0 && isHop(name) !== isHop(facts.names[index - 1]) };
      for (const [key] of PERCENTILES) row[key] = values[key] == null ? null : values[key] * scale;
      return row;
    }));
    PARTS = facts.parts;
    list(this.key, facts.parts, () => make("span", {}, make("i"), make("span")), (box, part) => {
      const classes = partClass(part);
      if (box.firstChild.className !== classes) box.firstChild.className = classes;
      text(box.lastChild, part);
    });
    text(this.worst.note, "from the kernel's stamp of the oldest frame to the return of send"
      + (facts.unseen ? `; ${count(facts.unseen)} orders passed unseen` : ""));
    this.orders(facts.worst);
  }

  close() {
    this.chart.close();
    this.heat.close();
  }
}

let PARTS = [];

function partClass(part) {
  const [hop, kind] = part.split(" ");
  return `hop-${hop} ${kind}`;
}

function drawParts(cell, row) {
  if (!cell.firstChild) cell.append(make("div", { class: "parts" }));
  const total = row.parts_us.reduce((sum, part) => sum + Math.max(part, 0), 0) || 1;
  mark(cell, "order", String(row.order_id));
  list(cell.firstChild, row.parts_us, () => make("i"), (bar, part, index) => {
    const classes = partClass(PARTS[index]);
    if (bar.className !== classes) bar.className = classes;
    const width = `${(100 * Math.max(part, 0) / total).toFixed(2)}%`;
    if (bar.style.width !== width) bar.style.width = width;
    const title = `${PARTS[index]}: ${micros(part)}`;
    if (bar.title !== title) bar.title = title;
  });
}
