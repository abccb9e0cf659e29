import { ask } from "@/api/http";
import { askPage } from "@/api/pages";
import { untilAnswered } from "@/api/retry";
import type { InputOf, Job, JobStatus, Medium, Page } from "@/api/types";

const PATH = "/api/v1/jobs";

export interface NewJob<K extends Medium> {
  kind: K;
  input: InputOf[K];
  model?: string;
  /** The same key again gives the first job back, so a submit whose answer was lost may be repeated. */
  key: string;
}

/** Submit a job. A connection that breaks is tried again under the same key: one job, never two. */
export async function submitJob<K extends Medium>({ key, ...job }: NewJob<K>): Promise<Job> {
  return untilAnswered(() => ask<Job>(PATH, { method: "POST", json: job, headers: { "Idempotency-Key": key } }));
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
  return askPage(PATH, { kind, status: status?.join(","), cursor });
}
