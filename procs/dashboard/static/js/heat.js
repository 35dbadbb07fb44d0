// A heat map: a column a second, a row for every quarter of an octave, darker for more.

import { make, text } from "./dom.js";
import { clock, count, nanos } from "./format.js";
import { colour, onTheme } from "./theme.js";

const ROWS = 80, FIRST_OCTAVE = 10, PER_OCTAVE = 4, COLUMN_COUNT = 600;
const LEFT = 56, BOTTOM = 20, TOP = 4;
const DECADES_NS = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

function rowOf(ns) {
  return PER_OCTAVE * (Math.log2(ns) - FIRST_OCTAVE);
}

function lowestOf(row) {
  return 2 ** (FIRST_OCTAVE + row / PER_OCTAVE);
}

function rgb(hex) {
  const value = parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

export class HeatMap {
  constructor(parent) {
    this.canvas = make("canvas");
    this.tip = make("div", { class: "tip", hidden: true });
    this.box = make("div", { class: "heat" }, this.canvas, this.tip);
    parent.append(this.box);
    this.cells = make("canvas", { width: COLUMN_COUNT, height: ROWS });
    this.time = [];
    this.columns = [];
    this.stopTheme = onTheme(() => this.draw());
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.box);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
  }

  set(time, columns) {
    this.time = time;
    this.columns = columns;
    this.draw();
  }

  // The rows from the lowest to the highest that is not empty, with a margin.
  span() {
    let low = ROWS, high = 0;
    for (const column of this.columns) {
      for (let row = 0; row < ROWS; row++) {
        if (column[row] > 0) { low = Math.min(low, row); high = Math.max(high, row); }
      }
    }
    return low > high ? [12, 52] : [Math.max(low - 2, 0), Math.min(high + 3, ROWS)];
  }

  draw() {
    const width = this.box.clientWidth, height = this.box.clientHeight, ratio = devicePixelRatio;
    if (width === 0) return;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const [low, high] = this.span();
    const wanted = Math.min(COLUMN_COUNT, Math.max(60, this.columns.length));
    this.view = { low, high, wanted, plotWidth: width - LEFT - 4, plotHeight: height - BOTTOM - TOP };
    this.paintCells();
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.imageSmoothingEnabled = false;
    const { plotWidth, plotHeight } = this.view;
    context.fillStyle = colour("faint");
    context.fillRect(LEFT, TOP, plotWidth, plotHeight);
    context.drawImage(this.cells, COLUMN_COUNT - wanted, ROWS - high, wanted, high - low,
      LEFT, TOP, plotWidth, plotHeight);
    this.drawAxes(context);
  }

  paintCells() {
    const context = this.cells.getContext("2d");
    const image = context.createImageData(COLUMN_COUNT, ROWS);
    const [red, green, blue] = rgb(colour("accent"));
    const most = Math.max(1, ...this.columns.map((column) => Math.max(...column.map((v) => v || 0))));
    const scale = 1 / Math.log(1 + most);
    const shift = COLUMN_COUNT - this.columns.length;
    this.columns.forEach((column, index) => {
      for (let row = 0; row < ROWS; row++) {
        if (!(column[row] > 0)) continue;
        const at = 4 * ((ROWS - 1 - row) * COLUMN_COUNT + shift + index);
        image.data.set([red, green, blue, 40 + 215 * Math.log(1 + column[row]) * scale], at);
      }
    });
    context.putImageData(image, 0, 0);
  }

  drawAxes(context) {
    const { low, high, wanted, plotWidth, plotHeight } = this.view;
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = colour("muted");
    context.strokeStyle = colour("grid");
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const ns of DECADES_NS) {
      const row = rowOf(ns);
      if (row < low || row > high) continue;
      const y = TOP + plotHeight * (1 - (row - low) / (high - low));
      context.fillText(nanos(ns).replace(".00", "").replace(".0", ""), LEFT - 6, y);
      context.beginPath();
      context.moveTo(LEFT, y);
      context.lineTo(LEFT + plotWidth, y);
      context.stroke();
    }
    context.textAlign = "center";
    const last = this.time.at(-1);
    if (last === undefined) return;
    const every = wanted > 240 ? 60 : wanted > 90 ? 30 : 15;
    for (let ago = every; ago < wanted; ago += every) {
      context.fillText(`−${ago} s`, LEFT + plotWidth * (1 - ago / wanted), TOP + plotHeight + 11);
    }
  }

  point(event) {
    const { low, high, wanted, plotWidth, plotHeight } = this.view;
    const x = (event.offsetX - LEFT) / plotWidth, y = (event.offsetY - TOP) / plotHeight;
    const index = this.columns.length - wanted + Math.floor(x * wanted);
    const row = low + Math.floor((1 - y) * (high - low));
    const column = this.columns[index];
    this.tip.hidden = !(x >= 0 && x < 1 && y >= 0 && y < 1 && column);
    if (this.tip.hidden) return;
    text(this.tip, `${clock(1e3 * this.time[index])}  ${nanos(lowestOf(row))} to ` +
      `${nanos(lowestOf(row + 1))}: ${count(column[row] || 0)}`);
    this.tip.style.left = `${Math.min(event.offsetX + 12, plotWidth + LEFT - 190)}px`;
    this.tip.style.top = `${Math.max(event.offsetY - 28, 0)}px`;
  }

  close() {
    this.stopTheme();
    this.sizes.disconnect();
  }
}
