// How the machine treats the hot threads.

import { LineChart } from "../charts.js";
import { figures, list, make, panel, table, text } from "../dom.js";
import { micros, millis, percent, rate } from "../format.js";

const COLOURS = ["hop-ingest", "hop-book", "hop-strategy", "hop-gateway"];
const USES = ["user", "system", "irq", "steal"];
const VERDICTS = { ok: "good", warn: "warn", fail: "bad" };

export class Machine {
  constructor(main, rewish) {
    const threads = panel("Hot threads");
    threads.note.textContent = "per second; a spinning thread alone on its CPU never waits and is never switched out";
    this.threads = table(threads.body, [
      { label: "stage", left: true, of: (row) => row.role },
      { label: "cpu", of: (row) => row.cpu },
      { label: "waits by", left: true, of: (row) => row.wait },
      { label: "ran", of: (row) => percent(row.run_share) },
      { label: "waited for its CPU", of: (row) => millis(row.wait_ms) },
      { label: "switched out", of: (row) => rate(row.involuntary) },
      { label: "gave way", of: (row) => rate(row.voluntary) },
      { label: "minor faults", of: (row) => rate(row.minor_faults), class: (row) => (row.minor_faults ? "warn" : "") },
      { label: "major faults", of: (row) => rate(row.major_faults), class: (row) => (row.major_faults ? "bad" : "") },
    ]);
    this.waits = panel("Hiccups: time that a hot thread was ready and did not run", "half");
    this.waits.note.textContent = "stages that share a CPU wait for each other all the time: look for peaks";
    this.chart = null;
    const late = panel("Hiccups: the delay of this dashboard's samples", "half");
    late.note.textContent = "the worst of each second; the dashboard runs on the housekeeping CPUs";
    this.late = new LineChart(late.body, { series: [{ label: "late", colour: "accent" }], unit: millis, height: 180, zero: true });
    const cpus = panel("CPUs", "half");
    this.cpuKey = make("div", { class: "key" }, ...USES.map((use) => make("span", {}, make("i", { class: use }), use === "irq" ? "interrupts" : use)));
    cpus.body.append(this.cpuKey);
    this.cpuKey.classList.add("usage-key");
    this.cpus = table(cpus.body, [
      { label: "cpu", left: true, of: (row) => row.name },
      { label: "", left: true, draw: drawUsage },
      { label: "user", of: (row) => `${row.user.toFixed(0)} %` },
      { label: "system", of: (row) => `${row.system.toFixed(0)} %` },
      { label: "interrupts", of: (row) => `${row.irq.toFixed(1)} %` },
      { label: "stolen", of: (row) => `${row.steal.toFixed(1)} %`, class: (row) => (row.steal > 1 ? "warn" : "") },
    ]);
    this.rest = figures(cpus.body);
    this.interrupts = panel("Interrupts per second", "half");
    this.showInterrupts = null;
    const doctor = panel("Doctor");
    this.doctorNote = doctor.note;
    this.doctor = table(doctor.body, [
      { label: "check", left: true, of: (row) => row.name },
      { label: "verdict", left: true, of: (row) => row.verdict, class: (row) => VERDICTS[row.verdict] ?? "muted" },
      { label: "found", left: true, wrap: true, of: (row) => row.found },
      { label: "wanted", left: true, wrap: true, of: (row) => row.wanted },
      { label: "mended by", left: true, wrap: true, of: (row) => row.fix },
    ], { empty: "" });
    main.append(threads.element, this.waits.element, late.element, cpus.element, this.interrupts.element, doctor.element);
    this.roles = [];
    this.rewish = rewish;
  }

  series() {
    return ["late", ...this.roles.map((role) => `wait.${role}`)];
  }

  draw(history) {
    this.late.set(history.time, [history.line("late")]);
    if (this.chart && history.series[`wait.${this.roles[0]}`]) {
      this.chart.set(history.time, this.roles.map((role) => history.line(`wait.${role}`)));
    }
  }

  begin(head) {
    this.roles = head.roles;
    this.chart = new LineChart(this.waits.body, {
      series: head.roles.map((role, index) => ({ label: role, colour: COLOURS[Math.max(COLOURS.length - head.roles.length + index, 0)] })),
      unit: (value) => micros(value * 1e3), height: 180, zero: true,
    });
    this.rewish();
  }

  show(facts, head) {
    if (this.chart === null) this.begin(head);
    const engine = new Set(facts.engine_cpus);
    this.threads(Object.entries(facts.places).map(([role, place]) => ({ role, ...place, ...(facts.threads[role] ?? {}) })));
    this.cpus(Object.entries(facts.cpus).map(([cpu, use]) => ({
      name: `${cpu}${engine.has(Number(cpu)) ? " engine" : ""}`, user: use.user + use.nice, system: use.system,
      irq: use.irq + use.softirq, steal: use.steal,
    })));
    const pressure = facts.pressure ?? {};
    this.rest([
      ["Load, 1 min", facts.load?.[0] ?? "–"],
      ["Some task waited for a CPU", pressure.cpu === undefined ? "–" : `${pressure.cpu.toFixed(1)} %`],
      ["for memory", pressure.memory === undefined ? "–" : `${pressure.memory.toFixed(1)} %`],
      ["for a disk", pressure.io === undefined ? "–" : `${pressure.io.toFixed(1)} %`],
    ]);
    this.showInterruptRows(facts.interrupts, engine);
    text(this.doctorNote, facts.doctor.note);
    this.doctor(facts.doctor.findings);
  }

  showInterruptRows(rows, engine) {
    if (!rows.length) return;
    this.showInterrupts ??= table(this.interrupts.body, [
      { label: "source", left: true, of: (row) => row.source },
      ...rows[0].rates.map((_, cpu) => ({ label: `cpu ${cpu}${engine.has(cpu) ? " engine" : ""}`, of: (row) => rate(row.rates[cpu]) })),
      { label: "what", left: true, wrap: true, of: (row) => row.name },
    ]);
    this.showInterrupts(rows);
  }

  close() {
    this.chart?.close();
    this.late.close();
  }
}

function drawUsage(cell, row) {
  if (!cell.firstChild) cell.append(make("div", { class: "usage" }));
  list(cell.firstChild, USES, () => make("i"), (bar, use) => {
    if (bar.className !== use) bar.className = use;
    bar.style.width = `${Math.min(row[use], 100).toFixed(1)}%`;
  });
}
