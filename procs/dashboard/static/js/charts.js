// Lines over time, by uPlot; colours come from the theme, and follow it.

import { make } from "./dom.js";
import { clock } from "./format.js";
import { colour, onTheme } from "./theme.js";

/* global uPlot */

const FONT = "11px system-ui, sans-serif";

// series: {label, colour (a name of the theme), dash, fill}; unit(value) writes a value.
export class LineChart {
  constructor(parent, { series, unit, log = false, height = 220, zero = false }) {
    this.options = { series, unit, log, height, zero };
    this.box = make("div", { class: "chart" });
    parent.append(this.box);
    this.data = [[], ...series.map(() => [])];
    this.build();
    this.stopTheme = onTheme(() => this.build());
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.box);
  }

  build() {
    this.plot?.destroy();
    const { series, unit, log, height, zero } = this.options;
    const axis = {
      stroke: colour("muted"), font: FONT,
      grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid"), width: 1, size: 4 },
    };
    const write = (value) => (value === null || value === undefined ? "–" : unit(value));
    const range = (plot, low, high) => {
      if (low === null) return log ? [1, 1000] : [0, 1];
      if (log) return [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high * 1.0001))];
      return uPlot.rangeNum(zero ? Math.min(low, 0) : low, high, 0.1, !zero);
    };
    this.plot = new uPlot({
      width: Math.max(this.box.clientWidth, 200), height,
      padding: [8, 8, 0, 0],
      cursor: { points: { size: 6 }, drag: { x: false, y: false } },
      scales: { x: { time: true }, y: { distr: log ? 3 : 1, range } },
      axes: [
        { ...axis, space: 70, values: "{HH}:{mm}:{ss}", size: 30 },
        { ...axis, size: 64, space: 32, values: (plot, splits) => splits.map((value) => {
          if (value === null) return "";
          if (log && !Number.isInteger(Math.round(1e6 * Math.log10(value)) / 1e6)) return "";
          return unit(value);
        }) },
      ],
      series: [
        { label: "at", value: (plot, value) => (value === null ? "newest" : clock(1e3 * value)) },
        ...series.map((each) => ({
          label: each.label, stroke: colour(each.colour), width: each.width ?? 1.5, dash: each.dash,
          points: { show: false }, spanGaps: false,
          // With no pointer over the chart the legend shows the newest value.
          value: (plot, value, number, index) => write(index === null ? plot.data[number].at(-1) : value),
        })),
      ],
    }, this.data, this.box);
  }

  resize() {
    const width = this.box.clientWidth;
    if (width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: this.options.height });
  }

  set(time, lines) {
    const { log } = this.options;
    const clean = log ? lines.map((line) => line.map((value) => (value > 0 ? value : null))) : lines;
    this.data = [time, ...clean];
    this.plot.setData(this.data);
    if (this.plot.cursor.idx === null || this.plot.cursor.idx === undefined) this.plot.setLegend({ idx: null }, false);
  }

  close() {
    this.stopTheme();
    this.sizes.disconnect();
    this.plot.destroy();
  }
}
