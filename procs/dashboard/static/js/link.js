// The connection to the dashboard's server: binary frames in, "seen" and wishes out.

const RETRY_MS = [250, 500, 1000, 2000];
const STALE_MS = 1000;

export function decode(buffer) {
  const size = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
  const kinds = { f8: Float64Array, f4: Float32Array, u4: Uint32Array };
  const arrays = {};
  for (const { name, kind, rows, width, offset } of header.arrays) {
    arrays[name] = { rows, width, data: new kinds[kind](buffer, 4 + size + offset, rows * width) };
  }
  return { header, arrays };
}

export class Link {
  constructor(onFrame, onFreshness) {
    this.onFrame = onFrame;
    this.onFreshness = onFreshness;
    this.wishes = { page: "pipeline", series: [] };
    this.lastFrameAt = 0;
    this.tryCount = 0;
    this.waiting = null;
    this.scheduled = false;
    setInterval(() => this.judge(), 200);
    document.addEventListener("visibilitychange", () => this.wake());
    this.connect();
  }

  // A hidden page draws nothing: it closes its connection, and opens it again when visible.
  wake() {
    if (document.hidden) this.socket?.close();
    else this.connect();
  }

  connect() {
    clearTimeout(this.retry);
    if (document.hidden || this.socket) return;
    const socket = new WebSocket(`ws://${location.host}/frames`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => { this.seen = 0; this.say(); };
    socket.onmessage = (event) => this.take(event.data);
    socket.onclose = () => {
      this.socket = null;
      const delay = RETRY_MS[Math.min(this.tryCount++, RETRY_MS.length - 1)];
      this.retry = setTimeout(() => this.connect(), delay);
    };
  }

  // Drawn once per display frame and acknowledged when drawn: a slow browser slows its own frames.
  take(buffer) {
    this.lastFrameAt = performance.now();
    this.tryCount = 0;
    const frame = decode(buffer);
    this.waiting = [...(this.waiting ?? []), frame];
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      const frames = this.waiting;
      this.waiting = null;
      for (const each of frames) this.onFrame(each, each === frames.at(-1));
      this.seen = frames.at(-1).header.number;
      this.say();
    });
  }

  wish(page, series) {
    this.wishes = { page, series };
    this.say();
  }

  say() {
    if (this.socket?.readyState === WebSocket.OPEN) {
      this.socket.send(JSON.stringify({ seen: this.seen, ...this.wishes }));
    }
  }

  judge() {
    const age = performance.now() - this.lastFrameAt;
    this.onFreshness(age < STALE_MS, age);
  }
}
