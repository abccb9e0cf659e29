/** The page's one WebSocket: follows many jobs, comes back by itself, and hands every event on exactly once, in order. */

import type { MessageRating } from "@/api/conversations";
import {
  BEGINNING,
  asJobEvent,
  compareEventIds,
  formatEventId,
  isNext,
  isTerminal,
  parseEventId,
  type EventId,
  type JobEvent,
} from "@/api/events";
import type { Conversation } from "@/api/types";

export type SocketState =
  | { status: "closed" }
  | { status: "connecting" }
  | { status: "open" }
  /** Cut off; the next try is at `retryAt` (epoch milliseconds). */
  | { status: "waiting"; retryAt: number };

/** How an answer is rated now, and in which conversation it is. */
export type RatingNotice = MessageRating & { conversation: string };

/** What has changed elsewhere: a conversation with its row (null: it is deleted), an answer's rating, or a list to be read again. */
export type Notice = { thing: "conversation"; id: string; data: Conversation | null } | { thing: "rating"; id: string; data: RatingNotice } | { thing: "folders" } | { thing: "assistants" };

export interface SocketHandlers {
  state: (state: SocketState) => void;
  event: (job: string, event: JobEvent) => void;
  /** From now on we hear of every change elsewhere; of those before we may not have. */
  watching: () => void;
  /** Another page or device of this person has changed something. */
  changed: (notice: Notice) => void;
  /** The server does not let us follow this job (gone, or not ours). */
  refused: (job: string, code: string, message: string) => void;
}

/** The part of the browser's WebSocket that is used here. */
export interface Wire {
  readonly readyState: number;
  send(data: string): void;
  close(): void;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
}

interface Frame {
  op: string;
  ref?: string | null;
  job?: string | null;
  id?: string;
  type?: string;
  data?: unknown;
  thing?: string;
  code?: string;
  message?: string;
}

/** A delta in short: our number of the job, the event's id and its data. */
type ShortFrame = [number: number, id: string, data: unknown];

interface Cursor {
  /** What we call the job on this socket. */
  readonly number: number;
  last: EventId;
  /** True until the first event after a `follow`: the log may start late, since it is compacted. */
  fresh: boolean;
}

const OPEN = 1;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 20_000;
const PING_EVERY_MS = 20_000;
const PONG_WITHIN_MS = 10_000;

export class JobSocket {
  private wire: Wire | null = null;
  private readonly cursors = new Map<string, Cursor>();
  /** Jobs by the number that they were given. */
  private readonly numbered: string[] = [];
  private failures = 0;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private pingTimer: ReturnType<typeof setTimeout> | undefined;
  private deadTimer: ReturnType<typeof setTimeout> | undefined;
  private wanted = false;

  constructor(
    private readonly connect: () => Wire,
    private readonly handlers: SocketHandlers,
    private readonly random: () => number = Math.random,
  ) {}

  /** Keep a connection from now on. */
  open(): void {
    this.wanted = true;
    if (this.wire === null) this.dial();
  }

  /** Forget everything and stay away until `open`. */
  close(): void {
    this.wanted = false;
    this.cursors.clear();
    clearTimeout(this.retryTimer);
    this.hangUp();
    this.handlers.state({ status: "closed" });
  }

  /** Try now instead of at the end of the delay: the network came back, or the page is seen again. */
  wake(): void {
    if (!this.wanted) return;
    if (this.wire === null) this.dial();
    else if (this.wire.readyState === OPEN) this.ping();
  }

  /** Receive the job's events from its first one; the snapshot must be empty. */
  follow(job: string): void {
    if (this.cursors.has(job)) return;
    this.cursors.set(job, { number: this.numbered.push(job) - 1, last: BEGINNING, fresh: true });
    if (this.wire?.readyState === OPEN) this.sendFollow(job);
  }

  unfollow(job: string): void {
    if (this.cursors.delete(job)) this.send({ op: "unfollow", job });
  }

  private dial(): void {
    clearTimeout(this.retryTimer);
    this.handlers.state({ status: "connecting" });
    const wire = this.connect();
    this.wire = wire;
    wire.onopen = () => {
      if (wire === this.wire) this.opened();
    };
    wire.onmessage = (message) => {
      if (wire === this.wire) this.received(String(message.data));
    };
    wire.onclose = () => {
      if (wire === this.wire) this.lost();
    };
  }

  private opened(): void {
    this.handlers.state({ status: "open" });
    for (const job of this.cursors.keys()) this.sendFollow(job);
    this.send({ op: "watch" });
    this.ping();
  }

  private lost(): void {
    this.hangUp();
    if (!this.wanted) return;
    const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.failures);
    // Jitter: a restarted server must not meet all its readers in the same instant.
    const delay = ceiling * (0.5 + this.random() / 2);
    this.failures += 1;
    this.handlers.state({ status: "waiting", retryAt: Date.now() + delay });
    this.retryTimer = setTimeout(() => {
      this.dial();
    }, delay);
  }

  private hangUp(): void {
    clearTimeout(this.pingTimer);
    clearTimeout(this.deadTimer);
    const wire = this.wire;
    this.wire = null;
    wire?.close();
  }

  private ping(): void {
    clearTimeout(this.pingTimer);
    clearTimeout(this.deadTimer);
    this.send({ op: "ping" });
    this.deadTimer = setTimeout(() => {
      this.lost();
    }, PONG_WITHIN_MS);
  }

  private received(text: string): void {
    // Any frame proves the line; only then is the delay of the next failure short again.
    this.failures = 0;
    clearTimeout(this.deadTimer);
    clearTimeout(this.pingTimer);
    this.pingTimer = setTimeout(() => {
      this.ping();
    }, PING_EVERY_MS);
    const frame = JSON.parse(text) as Frame | ShortFrame;
    if (Array.isArray(frame)) this.receivedEvent({ op: "event", job: this.numbered[frame[0]] ?? "", id: frame[1], type: "delta", data: frame[2] });
    else if (frame.op === "event") this.receivedEvent(frame);
    else if (frame.op === "error") this.receivedError(frame);
    else if (frame.op === "changed") this.receivedNotice(frame);
    else if (frame.op === "watching") this.handlers.watching();
  }

  private receivedNotice({ thing, id = "", data = null }: Frame): void {
    if (thing === "conversation") this.handlers.changed({ thing, id, data: data as Conversation | null });
    else if (thing === "rating") this.handlers.changed({ thing, id, data: data as RatingNotice });
    else if (thing === "folders" || thing === "assistants") this.handlers.changed({ thing });
  }

  private receivedEvent({ job, id: idText = "", type = "", data }: Frame): void {
    const cursor = this.cursors.get(job ?? "");
    const id = parseEventId(idText);
    if (cursor === undefined || id === null || !job) return;
    const event = asJobEvent(type, data);
    const whole = event?.type === "delta" && event.data.whole === true;
    // When the log has expired, the stored result is told from the start, under numbers of its own.
    const retold = cursor.fresh && event?.type === "retry" && event.data.from === "start";
    if (!retold && compareEventIds(id, cursor.last) <= 0) return;
    if (!cursor.fresh && !whole && !isNext(cursor.last, id)) {
      // Something between is missing. A new connection reads the log from the last event on, without what is
      // still under way on this one; the gap that is then still there is the log's own (it was compacted).
      this.lost();
      return;
    }
    cursor.last = id;
    cursor.fresh = false;
    if (event === null) return;
    if (isTerminal(event)) this.cursors.delete(job);
    this.handlers.event(job, event);
  }

  private receivedError({ ref, job, code = "error", message = "" }: Frame): void {
    const refused = job ?? ref ?? "";
    if (this.cursors.delete(refused)) this.handlers.refused(refused, code, message);
  }

  private sendFollow(job: string): void {
    const cursor = this.cursors.get(job);
    if (cursor === undefined) return;
    cursor.fresh = true;
    const after = cursor.last.attempt === 0 ? {} : { after: formatEventId(cursor.last) };
    this.send({ op: "follow", job, ref: job, as: cursor.number, ...after });
  }

  private send(frame: Record<string, unknown>): void {
    if (this.wire?.readyState === OPEN) this.wire.send(JSON.stringify(frame));
  }
}

/** The socket's address beside the page. */
export function connectBrowser(): WebSocket {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return new WebSocket(`${scheme}://${location.host}/ws/v1`);
}
