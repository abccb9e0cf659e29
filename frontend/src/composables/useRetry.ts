import { shallowRef, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { newId } from "@/api/ids";
import type { ChatJob, Job } from "@/api/types";
import { useConversations } from "@/composables/useConversations";
import { useJobs } from "@/composables/useJobs";

/** Have a job that ended done once more, with what it was asked for the first time. */
export function useRetry(): { retry: (job: Job) => Promise<void>; error: ShallowRef<ApiError | null> } {
  const jobs = useJobs();
  const conversations = useConversations();
  const error = shallowRef<ApiError | null>(null);

  /** An answer is made anew where it stands, as a branch beside the old one. */
  async function answerAgain(job: ChatJob): Promise<boolean> {
    const id = await conversations.findByJob(job.id);
    if (id === null) return false;
    await conversations.open(id);
    const answer = conversations.get(id)?.messages.find((each) => each.job === job.id);
    if (answer === undefined) return false;
    conversations.again(id, answer.id, job.model);
    return true;
  }

  async function submitAgain(job: Job): Promise<void> {
    const again = { key: newId(), model: job.model };
    if (job.kind === "chat") await jobs.submit({ ...again, kind: job.kind, input: job.input });
    else if (job.kind === "image") await jobs.submit({ ...again, kind: job.kind, input: job.input });
    else await jobs.submit({ ...again, kind: job.kind, input: job.input });
  }

  async function retry(job: Job): Promise<void> {
    error.value = null;
    try {
      if (job.kind === "chat" && (await answerAgain(job))) return;
      await submitAgain(job);
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
    }
  }

  return { retry, error };
}
