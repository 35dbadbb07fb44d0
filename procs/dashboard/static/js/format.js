// Numbers for people: only significant digits, never more than fit.

const NONE = "–";

export function count(value) {
  if (value === null || value === undefined) return NONE;
  return Math.round(value).toLocaleString("en-US");
}

export function rate(value) {
  if (value === null || value === undefined) return NONE;
  return value >= 100 ? count(value) : value.toFixed(value >= 10 ? 0 : 1);
}

export function micros(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} s`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)} ms`;
  if (value >= 1e3) return `${(value / 1e3).toFixed(2)} ms`;
  return `${value.toFixed(value >= 100 ? 0 : 1)} µs`;
}

export function nanos(value) {
  return value === null || value === undefined ? NONE : micros(value / 1e3);
}

export function millis(value) {
  return value === null || value === undefined ? NONE : micros(value * 1e3);
}

export function money(value) {
  if (value === null || value === undefined) return NONE;
  const shown = Math.abs(value).toFixed(Math.abs(value) >= 100 ? 2 : 4);
  return `${value < 0 ? "−" : "+"}${shown}`;
}

export function percent(fraction) {
  return fraction === null || fraction === undefined ? NONE : `${(100 * fraction).toFixed(1)} %`;
}

export function size(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`;
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${(bytes / 1e3).toFixed(1)} kB`;
}

export function clock(wallMs, withMillis = false) {
  const at = new Date(wallMs);
  const text = at.toTimeString().slice(0, 8);
  return withMillis ? `${text}.${String(at.getMilliseconds()).padStart(3, "0")}` : text;
}

export function span(seconds) {
  const whole = Math.floor(seconds);
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  const tail = `${String(minutes).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
  return hours ? `${hours}:${tail}` : tail;
}

// "tick_to_order_ns" -> "tick to order"
export function words(name) {
  return name.replace(/_ns$/, "").replaceAll("_", " ");
}
