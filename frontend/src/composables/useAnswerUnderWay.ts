import { computed, ref, watch, type ComputedRef, type ShallowRef } from "vue";

import type { ApiError } from "@/api/http";
import type { ShownMessage } from "@/composables/outbox";
import { useJob } from "@/composables/useJob";
import { useJobWords } from "@/composables/useJobWords";
import { useStop } from "@/composables/useStop";

export interface UseAnswerUnderWay {
  /** The last message where it is an answer that is not done. */
  answer: ComputedRef<ShownMessage | null>;
  /** What it is doing, once there is a word of it: until then its own place says so. */
  status: ComputedRef<string>;
  stopping: ComputedRef<boolean>;
  stop: () => Promise<void>;
  stopError: ShallowRef<ApiError | null>;
}

/** The answer at the end of what is shown, while it is sent or runs. */
export function useAnswerUnderWay(last: () => ShownMessage | undefined): UseAnswerUnderWay {
  const { describe } = useJobWords();
  const { stop: stopJob, error: stopError } = useStop();
  const answer = computed(() => {
    const message = last();
    return message?.state === "sending" || message?.state === "running" ? message : null;
  });
  const { view } = useJob(() => answer.value?.job ?? null);
  const status = computed(() => {
    const now = view.value;
    if (now === null || (!now.stopping && now.snapshot.text === "" && now.snapshot.reasoning === "")) return "";
    return describe(now);
  });

  // Stop may be pressed while the question is still on its way: it is stopped as soon as it has a job.
  const wanted = ref(false);
  const stopping = computed(() => view.value?.stopping ?? (answer.value !== null && wanted.value));

  async function stop(): Promise<void> {
    const job = answer.value?.job ?? null;
    wanted.value = job === null;
    if (job !== null) await stopJob(job);
  }

  watch(
    () => answer.value?.job,
    (job) => {
      if (job === undefined) wanted.value = false;
      else if (job !== null && wanted.value) void stop();
    },
  );

  return { answer, status, stopping, stop, stopError };
}
