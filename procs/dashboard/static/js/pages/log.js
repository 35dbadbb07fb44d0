// The logs of all processes and the events of the stages, in one stream.

import { choice, make, panel, text } from "../dom.js";

const KEPT = 1000;
const ALL = "all";

export class Log {
  constructor(main) {
    this.lines = [];
    this.level = ALL;
    this.count = 0;
    this.search = make("input", { type: "search", placeholder: "find", oninput: () => this.redraw() });
    this.levels = choice([ALL, "warnings", "events"], ALL, (level) => {
      this.level = level;
      this.levels.show([ALL, "warnings", "events"], level);
      this.redraw();
    });
    const log = panel("Log", "", make("span", { class: "push" }, this.search, " ", this.levels.element));
    this.note = log.note;
    this.box = make("div", { class: "log mono" });
    log.body.append(this.box);
    main.append(log.element);
  }

  series() {
    return [];
  }

  fits(line) {
    if (this.level === "warnings" && !["warning", "error"].includes(line.level)) return false;
    if (this.level === "events" && line.level !== "event") return false;
    return `${line.source} ${line.text}`.toLowerCase().includes(this.search.value.toLowerCase());
  }

  take(lines) {
    if (!lines.length) return;
    this.lines = [...this.lines, ...lines].slice(-KEPT);
    this.append(lines.filter((line) => this.fits(line)));
  }

  append(lines) {
    const isAtEnd = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 24;
    this.box.append(...lines.map((line) => {
      const row = make("div", {},
        make("span", { textContent: line.time.slice(11), title: line.time }),
        make("span", { class: "level", textContent: line.level === "more" ? "" : line.level }),
        make("span", { textContent: line.source }),
        make("span", { class: "text", textContent: line.text }));
      row.dataset.level = line.level;
      return row;
    }));
    while (this.box.children.length > KEPT) this.box.firstChild.remove();
    if (isAtEnd) this.box.scrollTop = this.box.scrollHeight;
  }

  redraw() {
    this.box.replaceChildren();
    this.append(this.lines.filter((line) => this.fits(line)));
    this.box.scrollTop = this.box.scrollHeight;
  }

  show(facts) {
    text(this.note, facts.run_folder);
  }
}
