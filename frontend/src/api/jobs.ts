import { ApiError, ask } from "@/api/http";
import type { InputOf, Job, JobStatus, Medium, Page } from "@/api/types";

const PATH = "/api/v1/jobs";
const RETRY_DELAYS_MS = [400, 1200, 3000];

export interface NewJob<K extends Medium> {
  kind: K;
  input: InputOf[K];
  model?: string;
  /** The same key again gives the first job back, so a submit whose answer was lost may be repeated. */
  key: string;
}

/** Submit a job. A connection that breaks is tried again under the same key: one job, never two. */
export async function submitJob<K extends Medium>({ key, ...job }: NewJob<K>): Promise<Job> {
  for (const delay of [...RETRY_DELAYS_MS, null]) {
    try {
      return await ask<Job>(PATH, { method: "POST", json: job, headers: { "Idempotency-Key": key } });
    } catch (reason) {
      if (!(reason instanceof ApiError) || reason.code !== "offline" || delay === null) throw reason;
      await new Promise((resolve) => setTimeout(resolve, delay * (0.5 + Math.random() / 2)));
    }
  }
  throw new Error("unreachable: the last round returns or throws");
}

export async function getJob(id: string): Promise<Job> {
  return ask<Job>(`${PATH}/${encodeURIComponent(id)}`);
}

/** Ask the job to stop; the job as it then stands. One that has ended stays as it is. */
export async function cancelJob(id: string): Promise<Job> {
  return ask<Job>(`${PATH}/${encodeURIComponent(id)}/cancel`, { method: "POST" });
}

export interface JobQuery {
  kind?: Medium;
  status?: readonly JobStatus[];
  cursor?: string;
}

export async function listJobs({ kind, status, cursor }: JobQuery): Promise<Page<Job>> {
  const page = await ask<Page<Job>>(PATH, { query: { kind, status: status?.join(","), cursor } });
  return { results: page.results, next: page.next === null ? null : cursorOf(page.next) };
}

/** The server gives the address of the next page; asking for it goes through our own query. */
function cursorOf(next: string): string {
  return new URL(next, location.origin).searchParams.get("cursor") ?? next;
}
