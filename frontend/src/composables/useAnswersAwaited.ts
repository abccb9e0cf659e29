import { watch } from "vue";

import { ApiError } from "@/api/http";
import type { Message } from "@/api/types";
import { jobOf, settled } from "@/composables/answers";
import type { ConversationRows } from "@/composables/conversationRows";
import { isEnded } from "@/composables/snapshot";
import { useJobs } from "@/composables/useJobs";

const TITLE_DELAYS_MS = [1500, 4000, 10_000, 30_000];

export interface UseAnswersAwaited {
  /** Follow the job of an answer that runs. */
  takeUp: (conversation: string, answer: Message) => Promise<void>;
  /** The same for one that was asked for here just now. */
  takeUpNew: (conversation: string, answer: Message, submittedAt: number) => void;
  clear: () => void;
}

/** Answers that run: each is kept in its conversation when its job ends. */
export function useAnswersAwaited({ rows, trees, setMessage }: ConversationRows, openAgain: (id: string) => Promise<void>): UseAnswersAwaited {
  const jobs = useJobs();
  const awaited = new Set<string>();

  async function takeUp(id: string, answer: Message): Promise<void> {
    if (answer.state !== "running" || answer.job === null || awaited.has(answer.id)) return;
    try {
      await jobs.open(answer.job);
      keepEnd(id, answer.id, answer.job);
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      // Offline now: the next opening asks again.
      if (reason.status === 404) setMessage(id, answer.id, { state: "failed", error: { code: reason.code, message: reason.message } });
    }
  }

  function takeUpNew(id: string, answer: Message, submittedAt: number): void {
    if (answer.state !== "running" || answer.job === null) return;
    const job = jobOf(answer, trees.get(id)?.find((each) => each.id === answer.parent));
    if (job !== null) jobs.adopt(job, submittedAt);
    keepEnd(id, answer.id, answer.job);
  }

  function keepEnd(id: string, answer: string, job: string): void {
    if (awaited.has(answer)) return;
    awaited.add(answer);
    const stop = watch(
      () => jobs.views.get(job),
      (view) => {
        if (view === undefined || !isEnded(view.snapshot.status)) return;
        setMessage(id, answer, settled(view.snapshot));
        void awaitTitle(id);
        awaited.delete(answer);
        queueMicrotask(() => {
          stop();
        });
      },
      { immediate: true },
    );
  }

  /** After the first answer the server asks for a title, once nobody waits: look a few times, then let it be. */
  async function awaitTitle(id: string): Promise<void> {
    for (const delay of TITLE_DELAYS_MS) {
      await new Promise((resolve) => setTimeout(resolve, delay));
      if (rows.get(id)?.titled !== false) return;
      await openAgain(id);
    }
  }

  return {
    takeUp,
    takeUpNew,
    clear: () => {
      awaited.clear();
    },
  };
}
