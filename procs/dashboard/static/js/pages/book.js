// The ladder with our quotes, position and profit, orders, fills and events.

import { LineChart } from "../charts.js";
import { choice, className, figures, list, make, panel, table, text } from "../dom.js";
import { clock, count, millis, money } from "../format.js";

export class Book {
  constructor(main, rewish) {
    this.rewish = rewish;
    this.symbol = null;
    this.symbols = choice([], null, (symbol) => { this.symbol = symbol; this.rewish(); });
    const ladder = panel("Ladder", "", make("span", { class: "push" }, this.symbols.element));
    this.ladderNote = ladder.note;
    this.rows = make("tbody");
    ladder.body.append(make("table", { class: "ladder" },
      make("thead", {}, make("tr", {}, ...["ours", "quantity", "price"].map((label) => make("th", { textContent: label })))),
      this.rows));
    const position = panel("Position and profit");
    this.positionNote = position.note;
    this.around = make("i");
    position.body.append(make("div", { class: "around" }, this.around));
    this.figures = figures(position.body);
    const shape = { height: 150 };
    this.pnl = new LineChart(position.body, { ...shape, series: [{ label: "profit, all symbols", colour: "accent" }], unit: money });
    const prices = panel("Mid price and position");
    this.mid = new LineChart(prices.body, { ...shape, series: [{ label: "mid", colour: "hop-ingest" }], unit: (v) => v.toFixed(2) });
    this.held = new LineChart(prices.body, { height: 120, series: [{ label: "position", colour: "hop-gateway" }], unit: (v) => String(Number(v.toPrecision(4))) });
    const orders = panel("Our orders");
    this.orders = table(orders.body, [
      { label: "symbol", left: true, of: (row) => row.symbol },
      { label: "side", left: true, of: (row) => row.side, class: (row) => row.side },
      { label: "price", of: (row) => row.price },
      { label: "quantity", of: (row) => row.qty },
      { label: "filled", of: (row) => row.filled },
      { label: "state", left: true, of: (row) => row.state + (row.asked ? `, ${row.asked} asked` : ""), class: (row) => (row.state === "unknown" ? "bad" : "") },
      { label: "age", of: (row) => millis(row.age_ms) },
      { label: "number", of: (row) => row.order_id },
    ], { empty: "no order of ours is open" });
    const fills = panel("Fills", "half");
    fills.body.classList.add("tall");
    this.fills = table(fills.body, [
      { label: "at", left: true, of: (row) => clock(row.wall_ms, true) },
      { label: "symbol", left: true, of: (row) => row.symbol },
      { label: "side", left: true, of: (row) => row.side, class: (row) => row.side },
      { label: "price", of: (row) => row.price },
      { label: "quantity", of: (row) => row.qty },
      { label: "as", left: true, of: (row) => (row.is_maker ? "maker" : "taker") },
      { label: "position", of: (row) => row.position },
    ], { empty: "none since this page's server began to look" });
    const events = panel("Order events", "half");
    events.body.classList.add("tall");
    this.events = table(events.body, [
      { label: "at", left: true, of: (row) => clock(row.wall_ms, true) },
      { label: "what", left: true, of: (row) => row.what },
      { label: "symbol", left: true, of: (row) => row.symbol },
      { label: "side", left: true, of: (row) => row.side, class: (row) => row.side },
      { label: "price", of: (row) => row.price },
      { label: "reason", left: true, of: (row) => row.reason.replaceAll("_", " ") },
    ], { empty: "none since this page's server began to look" });
    const right = make("div", { class: "column" }, position.element, prices.element);
    main.append(make("div", { class: "split" }, ladder.element, right), orders.element, fills.element, events.element);
  }

  series() {
    return this.symbol ? ["pnl", `mid.${this.symbol}`, `position.${this.symbol}`] : ["pnl"];
  }

  draw(history) {
    this.pnl.set(history.time, [history.line("pnl")]);
    if (!history.series[`mid.${this.symbol}`]) return;
    this.mid.set(history.time, [history.line(`mid.${this.symbol}`)]);
    this.held.set(history.time, [history.line(`position.${this.symbol}`)]);
  }

  show(facts, head) {
    if (!head.symbols.includes(this.symbol)) {
      this.symbol = head.symbols[0];
      this.rewish();
    }
    this.symbols.show(head.symbols, this.symbol);
    const book = facts.instruments.find((each) => each.symbol === this.symbol);
    this.showLadder(book);
    text(this.positionNote, `limit ±${book.position_max} ${book.base}`);
    const share = Math.max(-1, Math.min(1, book.position_share)) * 50;
    this.around.style.left = `${50 + Math.min(share, 0)}%`;
    this.around.style.width = `${Math.abs(share)}%`;
    this.figures([
      [`Position, ${book.base}`, book.position],
      [`Profit, ${book.quote}`, money(book.profit), book.profit < 0 ? "bad" : "good"],
      ["All symbols", money(facts.pnl), facts.pnl < 0 ? "bad" : "good"],
      ["Bought", book.bought], ["Sold", book.sold], ["Fills", count(book.fill_count)],
    ]);
    this.orders(facts.orders);
    this.fills(facts.fills);
    this.events(facts.events);
  }

  showLadder(book) {
    const most = Math.max(1, ...[...book.bids, ...book.asks].map((level) => level[3]));
    const spread = book.bids.length && book.asks.length ? Number(book.asks[0][0]) - Number(book.bids[0][0]) : null;
    const rows = [
      ...book.asks.toReversed().map((level) => ["ask", ...level]),
      ["spread", spread],
      ...book.bids.map((level) => ["bid", ...level]),
    ];
    text(this.ladderNote, book.in_sync ? "bars: quantity up to there" : "■ not in sync");
    className(this.ladderNote, book.in_sync ? "muted" : "bad");
    list(this.rows, rows, () => make("tr"), (line, [kind, price, qty, own, sum]) => {
      const isSpread = kind === "spread";
      const wanted = isSpread ? 1 : 3;
      if (line.children.length !== wanted) {
        line.replaceChildren(...Array.from({ length: wanted }, () => make("td")));
        if (isSpread) line.firstChild.colSpan = 3;
      }
      className(line, `${kind}${own ? " mine" : ""}`);
      if (isSpread) {
        text(line.firstChild, price === null ? "no spread" : `spread ${Number(price.toPrecision(8))}`);
        return;
      }
      text(line.children[0], own ? `◆ ${own}` : "");
      className(line.children[0], "own");
      text(line.children[1], qty);
      className(line.children[1], "depth");
      line.children[1].style.setProperty("--depth", `${(100 * sum / most).toFixed(1)}%`);
      text(line.children[2], price);
      className(line.children[2], kind === "bid" ? "buy" : "sell");
    });
  }

  close() {
    for (const chart of [this.pnl, this.mid, this.held]) chart.close();
  }
}
