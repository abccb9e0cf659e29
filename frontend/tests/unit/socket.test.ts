import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { JobEvent } from "@/api/events";
import { JobSocket, type SocketState, type Wire } from "@/api/socket";

type Frame = Record<string, unknown>;

/** The browser's WebSocket, played by the test. */
class FakeWire implements Wire {
  readyState = 0;
  onopen: Wire["onopen"] = null;
  onmessage: Wire["onmessage"] = null;
  onclose: Wire["onclose"] = null;
  readonly sent: Frame[] = [];

  send(data: string): void {
    this.sent.push(JSON.parse(data) as Frame);
  }

  close(): void {
    this.readyState = 3;
  }

  accept(): void {
    this.readyState = 1;
    this.onopen?.(new Event("open"));
  }

  cut(): void {
    this.readyState = 3;
    this.onclose?.(new CloseEvent("close"));
  }

  say(frame: Frame | unknown[]): void {
    this.onmessage?.(new MessageEvent("message", { data: JSON.stringify(frame) }));
  }

  text(id: string, text: string, more: Frame = {}): void {
    this.say({ op: "event", job: "j", id, type: "delta", data: { text, ...more } });
  }

  ops(op: string): Frame[] {
    return this.sent.filter((frame) => frame["op"] === op);
  }
}

let wires: FakeWire[];
let events: JobEvent[];
let states: SocketState[];
let refused: string[];
let watched: number;
let socket: JobSocket;

function wire(): FakeWire {
  const last = wires.at(-1);
  if (last === undefined) throw new Error("the socket has not dialled yet");
  return last;
}

function texts(): string {
  return events.map((event) => (event.type === "delta" ? event.data.text : `<${event.type}>`)).join("");
}

beforeEach(() => {
  vi.useFakeTimers();
  wires = [];
  events = [];
  states = [];
  refused = [];
  watched = 0;
  const dial = (): Wire => {
    wires.push(new FakeWire());
    return wire();
  };
  const handlers = {
    state: (state: SocketState) => states.push(state),
    event: (_job: string, event: JobEvent) => events.push(event),
    changed: () => undefined,
    watching: () => (watched += 1),
    refused: (job: string) => refused.push(job),
  };
  socket = new JobSocket(dial, handlers, () => 1);
  socket.open();
});

afterEach(() => {
  socket.close();
  vi.useRealTimers();
});

describe("the socket", () => {
  it("follows what was asked for before it was open", () => {
    socket.follow("j");
    expect(wire().sent).toEqual([]);
    wire().accept();
    expect(wire().ops("follow")).toEqual([{ op: "follow", job: "j", ref: "j", as: 0 }]);
  });

  it("comes back after a cut and goes on after the last event it saw", () => {
    socket.follow("j");
    wire().accept();
    wire().text("1-1", "a");
    wire().text("1-2", "b");
    wire().cut();
    expect(states.at(-1)).toMatchObject({ status: "waiting" });
    vi.advanceTimersByTime(500);
    wire().accept();
    expect(wires).toHaveLength(2);
    expect(wire().ops("follow")).toEqual([{ op: "follow", job: "j", ref: "j", as: 0, after: "1-2" }]);
    wire().text("1-3", "c");
    expect(texts()).toBe("abc");
  });

  it("says when it is told of changes from then on", () => {
    wire().accept();
    expect(wire().ops("watch")).toHaveLength(1);
    expect(watched).toBe(0);
    wire().say({ op: "watching" });
    expect(watched).toBe(1);
  });

  it("takes deltas in short by the number that it gave the job", () => {
    const jobs: string[] = [];
    const dial = (): Wire => {
      wires.push(new FakeWire());
      return wire();
    };
    const handlers = { state: () => undefined, event: (job: string, event: JobEvent) => jobs.push(`${job}:${event.type === "delta" ? (event.data.text ?? "") : event.type}`), changed: () => undefined, watching: () => undefined, refused: () => undefined };
    const two = new JobSocket(dial, handlers, () => 1);
    two.open();
    two.follow("a");
    two.follow("b");
    wire().accept();
    expect(wire().ops("follow").map(({ job, as }) => [job, as])).toEqual([["a", 0], ["b", 1]]);
    for (const frame of [[1, "1-1", { text: "x" }], [0, "1-1", { text: "y" }], [7, "1-1", { text: "nobody's" }], [1, "1-2", { text: "z" }]]) wire().say(frame);
    expect(jobs).toEqual(["b:x", "a:y", "b:z"]);
    two.close();
  });

  it("hands an event that comes twice on once", () => {
    socket.follow("j");
    wire().accept();
    for (const id of ["1-1", "1-1", "1-2", "1-1", "1-2"]) wire().text(id, id);
    expect(texts()).toBe("1-11-2");
  });

  it("asks again from the last event when one is missing, on a new connection", () => {
    socket.follow("j");
    wire().accept();
    wire().text("1-1", "a");
    const first = wire();
    first.text("1-3", "c");
    first.text("1-4", "d");
    expect(texts()).toBe("a");
    vi.advanceTimersByTime(500);
    wire().accept();
    expect(wire().ops("follow")[0]).toMatchObject({ after: "1-1" });
    for (const [id, text] of [["1-2", "b"], ["1-3", "c"], ["1-4", "d"]] as const) wire().text(id, text);
    expect(texts()).toBe("abcd");
  });

  it("takes a gap that the log itself has", () => {
    socket.follow("j");
    wire().accept();
    wire().text("1-1", "a");
    wire().text("1-9", "all until now", { whole: true });
    wire().text("1-10", "!");
    expect(texts()).toBe("aall until now!");
    wire().text("1-12", "compacted before");
    vi.advanceTimersByTime(500);
    wire().accept();
    wire().text("1-12", "compacted before");
    expect(texts()).toBe("aall until now!compacted before");
  });

  it("takes the next attempt from its first event", () => {
    socket.follow("j");
    wire().accept();
    wire().text("1-1", "a");
    wire().say({ op: "event", job: "j", id: "2-1", type: "retry", data: { attempt: 2, from: "here" } });
    wire().text("2-2", "b");
    expect(texts()).toBe("a<retry>b");
  });

  it("believes a job that is told again from the start, whatever its numbers", () => {
    socket.follow("j");
    wire().accept();
    wire().text("1-50", "half");
    wire().cut();
    vi.advanceTimersByTime(500);
    wire().accept();
    wire().say({ op: "event", job: "j", id: "1-1", type: "retry", data: { attempt: 1, from: "start" } });
    wire().text("1-2", "all");
    wire().say({ op: "event", job: "j", id: "1-3", type: "finished", data: {} });
    expect(texts()).toBe("half<retry>all<finished>");
  });

  it("skips an event type of a newer server without losing its place", () => {
    socket.follow("j");
    wire().accept();
    wire().text("1-1", "a");
    wire().say({ op: "event", job: "j", id: "1-2", type: "applause", data: {} });
    wire().text("1-3", "b");
    expect(texts()).toBe("ab");
    expect(wires).toHaveLength(1);
  });

  it("follows no longer after the end", () => {
    socket.follow("j");
    wire().accept();
    wire().say({ op: "event", job: "j", id: "1-1", type: "finished", data: {} });
    wire().cut();
    vi.advanceTimersByTime(500);
    wire().accept();
    expect(wire().ops("follow")).toEqual([]);
  });

  it("waits longer after each failure, and briefly again once the server spoke", () => {
    const delays: number[] = [];
    for (let i = 0; i < 8; i += 1) {
      wire().cut();
      const state = states.at(-1);
      if (state?.status !== "waiting") throw new Error("the socket should wait");
      delays.push(state.retryAt - Date.now());
      vi.advanceTimersByTime(20_000);
    }
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
    wire().accept();
    wire().say({ op: "pong" });
    wire().cut();
    expect(states.at(-1)).toEqual({ status: "waiting", retryAt: Date.now() + 500 });
  });

  it("notices a line that is dead without a word", () => {
    wire().accept();
    wire().say({ op: "pong" });
    vi.advanceTimersByTime(20_000);
    expect(wire().ops("ping")).toHaveLength(2);
    vi.advanceTimersByTime(10_000);
    expect(states.at(-1)).toMatchObject({ status: "waiting" });
  });

  it("tries at once when it is woken", () => {
    wire().cut();
    socket.wake();
    expect(wires).toHaveLength(2);
    vi.advanceTimersByTime(20_000);
    expect(wires).toHaveLength(2);
  });

  it("says which job the server refused", () => {
    socket.follow("j");
    wire().accept();
    wire().say({ op: "error", ref: "j", code: "not_found", message: "There is no job j." });
    expect(refused).toEqual(["j"]);
  });

  it("stays away after it was closed", () => {
    wire().accept();
    socket.close();
    vi.advanceTimersByTime(60_000);
    expect(wires).toHaveLength(1);
    expect(states.at(-1)).toEqual({ status: "closed" });
  });
});
