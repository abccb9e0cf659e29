/** A job's events as the server sends them; `gpu_workers/contract/events.py` is where they are defined. */

import type { components } from "@/api/schema";

/** The place of an event in its job's log: attempts count from 1, numbers from 1 in each attempt. */
export interface EventId {
  attempt: number;
  number: number;
}

export const BEGINNING: EventId = { attempt: 0, number: 0 };

export function parseEventId(text: string): EventId | null {
  const match = /^(\d{1,15})-(\d{1,15})$/.exec(text);
  return match === null ? null : { attempt: Number(match[1]), number: Number(match[2]) };
}

export function formatEventId(id: EventId): string {
  return `${id.attempt}-${id.number}`;
}

/** Negative when `a` comes before `b` in the log. */
export function compareEventIds(a: EventId, b: EventId): number {
  return a.attempt - b.attempt || a.number - b.number;
}

/** Whether nothing can lie between the two. */
export function isNext(last: EventId, id: EventId): boolean {
  return id.attempt === last.attempt ? id.number === last.number + 1 : id.attempt > last.attempt && id.number === 1;
}

/** What an event says, by its type. */
export type EventData = components["schemas"]["JobEvents"];
export type Progress = EventData["progress"];
/** Speech of one sentence, to be played while the rest is made. */
export type SpokenSentence = EventData["audio"];

export type EventType = keyof EventData;
export type JobEvent = { [T in EventType]: { type: T; data: EventData[T] } }[EventType];

const TYPES: ReadonlySet<string> = new Set<EventType>([
  "queued",
  "started",
  "delta",
  "progress",
  "preview",
  "audio",
  "artifact",
  "retry",
  "finished",
  "failed",
  "cancelled",
  "blocked",
]);
const TERMINAL: ReadonlySet<string> = new Set<EventType>(["finished", "failed", "cancelled", "blocked"]);

/** The event of a frame, or null for a type that a newer server knows and this page does not. */
export function asJobEvent(type: string, data: unknown): JobEvent | null {
  return TYPES.has(type) ? ({ type, data } as JobEvent) : null;
}

export function isTerminal(event: JobEvent): boolean {
  return TERMINAL.has(event.type);
}
