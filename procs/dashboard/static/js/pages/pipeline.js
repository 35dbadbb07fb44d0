// Stages and rings in the order of a tick, losses, and the kill button.

import { act, confirmed, mayAct } from "../act.js";
import { LineChart } from "../charts.js";
import { list, make, mark, panel, table, text } from "../dom.js";
import { count, millis, rate } from "../format.js";

const LEVELS = { ready: "good", starting: "warn", running: "warn" };
const LATE_MS = 100;

export class Pipeline {
  constructor(main) {
    this.error = make("span", { class: "bad" });
    this.kill = make("button", {
      type: "button", class: "danger", textContent: "Kill: pull quotes and end the run",
      onclick: () => this.ask({ type: "stop" }, "Pull all quotes and end the run?",
        "The gateway cancels all open orders, then all stages end. The run does not restart by itself.", "Kill"),
    });
    const flow = panel("Pipeline", "", make("span", { class: "push" }, this.error, " ", this.kill));
    this.hint = flow.note;
    this.flow = make("div", { class: "flow" });
    flow.body.append(this.flow);
    const rates = panel("Per second", "two-thirds");
    this.chart = new LineChart(rates.body, {
      series: [
        { label: "messages", colour: "hop-ingest" }, { label: "book updates", colour: "hop-book" },
        { label: "orders", colour: "hop-gateway" }, { label: "fills", colour: "hop-strategy" },
      ],
      unit: rate, log: true, height: 240,
    });
    const losses = panel("Losses and waits", "third");
    losses.note.textContent = "none in a healthy run";
    this.losses = table(losses.body, [
      { label: "what", left: true, of: (row) => row[0] },
      { label: "count", of: (row) => count(row[1]), class: (row) => (row[1] ? "bad" : "") },
    ]);
    const rings = panel("Rings");
    this.rings = table(rings.body, [
      { label: "ring", left: true, of: (row) => row.name },
      { label: "writer", left: true, of: (row) => row.writer },
      { label: "reader", left: true, of: (row) => row.reader || "observers" },
      { label: "records/s", of: (row) => rate(row.per_s) },
      { label: "waiting", of: (row) => (row.reader ? count(row.waiting) : "–") },
      { label: "capacity", of: (row) => count(row.capacity) },
      { label: "fill", of: (row) => (row.reader ? `${(100 * row.waiting / row.capacity).toFixed(1)} %` : "–") },
    ]);
    main.append(flow.element, rates.element, losses.element, rings.element);
  }

  series() {
    return ["messages", "updates", "orders", "fills"];
  }

  async ask(command, title, why, button) {
    if (!await confirmed(title, why, button)) return;
    text(this.error, "…");
    text(this.error, await act(command));
  }

  askStage(type, role) {
    const what = { restart_stage: "Restart", stop_stage: "Stop", start_stage: "Start" }[type];
    this.ask({ type, stage: role }, `${what} ${role}?`, "Quotes are pulled while a stage is not ready.", what);
  }

  show(facts) {
    text(this.hint, mayAct() ? "" : "to act, open the address that the terminal printed");
    this.kill.disabled = !mayAct();
    const stage = Object.fromEntries(facts.stages.map((each) => [each.role, each]));
    const ring = Object.fromEntries(facts.rings.map((each) => [each.name, each]));
    const ingests = facts.stages.map((each) => each.role).filter((role) => ring[`market.${role}`]);
    const gateways = facts.stages.map((each) => each.role).filter((role) => /^gateway(-|$)/.test(role));
    const ofAccounts = facts.rings.filter((each) => /^(requests|events)(\.|$)/.test(each.name));
    const parts = [
      { stages: ingests.map((role) => stage[role]) },
      { rings: ingests.map((role) => ring[`market.${role}`]) },
      { stages: [stage.book] }, { rings: [ring.tops] },
      { stages: [stage.strategy] }, { rings: ofAccounts },
      { stages: gateways.map((role) => stage[role]) },
    ];
    list(this.flow, parts,
      (index) => make("div", { class: parts[index].rings ? "stack wires" : "stack" }),
      (box, part) => list(box, part.stages ?? part.rings,
        () => (part.stages ? this.makeStage() : makeLink()),
        (element, row) => (part.stages ? this.showStage(element, row) : showLink(element, row))));
    this.losses(Object.entries(facts.losses));
    this.rings(facts.rings);
  }

  makeStage() {
    const button = (label, type) => make("button", {
      type: "button", textContent: label,
      onclick: (event) => this.askStage(type, event.target.closest(".stage").dataset.role),
    });
    return make("div", { class: "stage" },
      make("div", { class: "name" }, make("span"), make("span")),
      make("dl", { class: "facts" }),
      make("div", { class: "acts" }, button("restart", "restart_stage"), button("stop", "stop_stage"), button("start", "start_stage")));
  }

  showStage(element, row) {
    const [name, facts, acts] = element.children;
    const isLate = row.heartbeat_ms > LATE_MS;
    mark(element, "role", row.role);
    mark(element, "level", isLate ? "bad" : LEVELS[row.state] ?? "bad");
    text(name.firstChild, row.role);
    text(name.lastChild, row.state);
    name.lastChild.className = LEVELS[row.state] ?? "bad";
    const pairs = [
      ["heartbeat", millis(Math.max(row.heartbeat_ms, 0)), isLate ? "bad" : ""],
      ["work/s", rate(row.work_per_s)],
      ["loops/s", rate(row.loops_per_s)],
      ["cpu, wait", `${row.cpu}, ${row.wait}`],
      ["pid, life", `${row.pid}, ${row.life}`],
      ["restarts", count(row.restarts)],
    ];
    list(facts, pairs.flatMap(([label, value, level]) => [[label], [value, level]]),
      (index) => make(index % 2 ? "dd" : "dt"),
      (cell, [value, level]) => { text(cell, value); if (cell.className !== (level ?? "")) cell.className = level ?? ""; });
    const isUp = row.phase === "up" || row.phase === "";
    [...acts.children].forEach((button, index) => {
      button.disabled = !mayAct();
      button.hidden = index === 2 ? isUp : !isUp;
    });
  }

  draw(history) {
    this.chart.set(history.time, this.series().map((name) => history.line(name)));
  }

  close() {
    this.chart.close();
  }
}

function makeLink() {
  return make("div", { class: "wire-box" }, make("small"), make("div", { class: "wire" }, make("b")),
    make("div", { class: "meter" }, make("i")), make("small"));
}

function showLink(element, row) {
  const [name, wire, meter, fill] = element.children;
  element.classList.toggle("back", row.name === "events");
  text(name, row.name);
  text(wire.firstChild, `${rate(row.per_s)}/s`);
  const share = row.waiting / row.capacity;
  meter.firstChild.style.width = `${Math.min(100 * share, 100)}%`;
  meter.classList.toggle("full", share > 0.5);
  text(fill, `${count(row.waiting)} of ${count(row.capacity)}`);
}
