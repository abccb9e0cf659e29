/** Where a job is shown, and by which words it is known. */

import type { RouteLocationRaw } from "vue-router";

import type { Job } from "@/api/types";

export function placeOf(job: Job): RouteLocationRaw {
  return { name: job.kind, query: { job: job.id } };
}

/** What was asked for; empty where there are no words. */
export function titleOf(job: Job): string {
  if (job.kind === "image") return job.input.prompt;
  if (job.kind === "voice") return job.input.text ?? job.input.ssml ?? "";
  return job.input.messages.findLast((turn) => turn.role === "user")?.content ?? "";
}
