// The series of the current page: one column a second, as the server keeps them.

const COLUMN_COUNT = 600;

export class History {
  constructor() {
    this.clear();
  }

  clear() {
    this.next = -1;
    this.time = [];
    this.series = {};
  }

  // Appends the columns of a frame; a frame with an unexpected start replaces the series.
  take(first, arrays) {
    if (!arrays.time) return false;
    const sameNames = Object.keys(arrays).every((name) => name === "time" || name in this.series);
    if (first !== this.next || !sameNames) {
      this.clear();
      for (const name of Object.keys(arrays)) if (name !== "time") this.series[name] = [];
    }
    const rows = arrays.time.rows;
    this.next = first + rows;
    for (let row = 0; row < rows; row++) this.time.push(arrays.time.data[row]);
    for (const [name, { width, data }] of Object.entries(arrays)) {
      if (name === "time") continue;
      for (let row = 0; row < rows; row++) {
        this.series[name].push(Array.from(data.subarray(row * width, (row + 1) * width)));
      }
    }
    const extra = this.time.length - COLUMN_COUNT;
    if (extra > 0) {
      this.time.splice(0, extra);
      for (const columns of Object.values(this.series)) columns.splice(0, extra);
    }
    return rows > 0;
  }

  // One number a second of a series, null where it is not known.
  line(name, index = 0, scale = 1) {
    return (this.series[name] ?? []).map((column) => {
      const value = column[index];
      return Number.isFinite(value) ? value * scale : null;
    });
  }
}
