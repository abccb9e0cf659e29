/** The one way to fold a job's events; the same table as `Snapshot.apply` in `gpu_workers/contract/events.py`. */

import type { JobEvent, Progress, SpokenSentence } from "@/api/events";
import type { Artifact, Job, JobError, JobStatus, Usage } from "@/api/types";

export interface Snapshot {
  readonly status: JobStatus;
  readonly attempt: number;
  readonly model: string | null;
  /** 1 is next. */
  readonly position: number | null;
  readonly etaS: number | null;
  readonly text: string;
  readonly reasoning: string;
  readonly progress: Progress | null;
  /** A data URI of where the image stands. */
  readonly preview: string | null;
  readonly audio: readonly SpokenSentence[];
  readonly artifacts: readonly Artifact[];
  readonly usage: Usage;
  readonly finishReason: string | null;
  readonly confidence: number | null;
  readonly error: JobError | null;
}

export const EMPTY: Snapshot = {
  status: "queued",
  attempt: 1,
  model: null,
  position: null,
  etaS: null,
  text: "",
  reasoning: "",
  progress: null,
  preview: null,
  audio: [],
  artifacts: [],
  usage: {},
  finishReason: null,
  confidence: null,
  error: null,
};

const ENDED = { position: null, etaS: null, progress: null, preview: null } as const;

/** The snapshot after the next event of the log. */
export function apply(snapshot: Snapshot, event: JobEvent): Snapshot {
  switch (event.type) {
    case "queued":
      return { ...snapshot, position: event.data.position, etaS: event.data.eta_s ?? null };
    case "started": {
      const { attempt, model } = event.data;
      return { ...snapshot, status: "running", attempt, model, position: null, etaS: null };
    }
    case "delta":
      return withDelta(snapshot, event.data);
    case "progress":
      return { ...snapshot, progress: event.data };
    case "preview":
      return { ...snapshot, preview: event.data.image };
    case "audio":
      return { ...snapshot, audio: [...snapshot.audio, event.data] };
    case "artifact":
      return { ...snapshot, artifacts: [...snapshot.artifacts, event.data] };
    case "retry":
      return retried(snapshot, event.data);
    case "finished": {
      const { usage = {}, finish_reason: finishReason = "stop", confidence = null } = event.data;
      return { ...snapshot, ...ENDED, status: "succeeded", usage, finishReason, confidence };
    }
    case "failed":
      return { ...snapshot, ...ENDED, status: "failed", error: event.data };
    case "cancelled":
      return { ...snapshot, ...ENDED, status: "cancelled", finishReason: "cancelled" };
    case "blocked": {
      const { rule } = event.data;
      const error = { code: "blocked", message: `Stopped by rule ${rule}.`, rule };
      return { ...snapshot, ...ENDED, status: "blocked", error };
    }
  }
}

function withDelta(snapshot: Snapshot, { text = "", reasoning = "", whole = false }: { text?: string; reasoning?: string; whole?: boolean }): Snapshot {
  if (whole) return { ...snapshot, text, reasoning };
  return { ...snapshot, text: snapshot.text + text, reasoning: snapshot.reasoning + reasoning };
}

function retried(snapshot: Snapshot, { attempt, from }: { attempt: number; from: "here" | "start" }): Snapshot {
  const again: Snapshot = { ...snapshot, status: "queued", attempt, progress: null, preview: null };
  return from === "start" ? { ...again, text: "", reasoning: "", audio: [], artifacts: [] } : again;
}

export function fold(events: Iterable<JobEvent>): Snapshot {
  let snapshot = EMPTY;
  for (const event of events) snapshot = apply(snapshot, event);
  return snapshot;
}

/** What a reader of all events would have, from the job as the API reads it. */
export function snapshotOf(job: Job): Snapshot {
  const result = job.result ?? {};
  return {
    ...EMPTY,
    status: job.status,
    attempt: job.attempt,
    model: job.model,
    position: job.position ?? null,
    etaS: job.eta_s ?? null,
    text: result.text ?? "",
    reasoning: result.reasoning ?? "",
    artifacts: result.artifacts ?? [],
    usage: result.usage ?? {},
    finishReason: result.finish_reason ?? null,
    confidence: result.confidence ?? null,
    error: job.error ?? null,
  };
}

export function isEnded(status: JobStatus): boolean {
  return status !== "queued" && status !== "running";
}
