/** When things happened to a job while this page watched: the events carry no clock. */

import type { JobEvent } from "@/api/events";

export interface Timing {
  /** Milliseconds of `performance.now()`; null where this page did not see it. */
  readonly submittedAt: number | null;
  readonly firstReasoningAt: number | null;
  readonly firstTextAt: number | null;
  readonly lastTextAt: number | null;
  readonly firstStep: { readonly step: number; readonly at: number } | null;
  readonly lastStep: { readonly step: number; readonly at: number } | null;
}

export const UNSEEN: Timing = {
  submittedAt: null,
  firstReasoningAt: null,
  firstTextAt: null,
  lastTextAt: null,
  firstStep: null,
  lastStep: null,
};

/** The timing after an event that arrived at `now`. */
export function observe(timing: Timing, event: JobEvent, now: number): Timing {
  if (event.type === "delta") {
    const { text, reasoning } = event.data;
    return {
      ...timing,
      firstReasoningAt: timing.firstReasoningAt ?? (reasoning ? now : null),
      firstTextAt: timing.firstTextAt ?? (text ? now : null),
      lastTextAt: text || reasoning ? now : timing.lastTextAt,
    };
  }
  if (event.type === "progress" && (event.data.stage ?? "generate") === "generate") {
    const seen = { step: event.data.step, at: now };
    return { ...timing, firstStep: timing.firstStep ?? seen, lastStep: seen };
  }
  if (event.type === "retry") return { ...timing, firstStep: null, lastStep: null };
  return timing;
}

/** Seconds until `steps` are done, at the speed seen so far. */
export function remainingS({ firstStep, lastStep }: Timing, steps: number): number | null {
  if (firstStep === null || lastStep === null || lastStep.step <= firstStep.step) return null;
  const msPerStep = (lastStep.at - firstStep.at) / (lastStep.step - firstStep.step);
  return ((steps - lastStep.step) * msPerStep) / 1000;
}

/** Seconds of reasoning before the first word of the answer, where this page saw both. */
export function reasoningS({ submittedAt, firstReasoningAt, firstTextAt, lastTextAt }: Timing): number | null {
  if (submittedAt === null || firstReasoningAt === null) return null;
  return ((firstTextAt ?? lastTextAt ?? firstReasoningAt) - firstReasoningAt) / 1000;
}
