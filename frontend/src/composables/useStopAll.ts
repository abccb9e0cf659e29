import { computed, ref, shallowRef, type ComputedRef, type Ref, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { useJobs } from "@/composables/useJobs";

export interface UseStopAll {
  /** How many would be stopped. */
  count: ComputedRef<number>;
  /** The question stands: stop them all? */
  asking: Ref<boolean>;
  stopAll: () => Promise<void>;
  error: ShallowRef<ApiError | null>;
}

/** Stop all of one's own jobs that wait or run, after a question. */
export function useStopAll(): UseStopAll {
  const jobs = useJobs();
  const asking = ref(false);
  const error = shallowRef<ApiError | null>(null);
  const stoppable = computed(() => jobs.running.filter((view) => !view.stopping));

  async function stopAll(): Promise<void> {
    asking.value = false;
    error.value = null;
    const ends = await Promise.allSettled(stoppable.value.map((view) => jobs.stop(view.id)));
    for (const end of ends) {
      if (end.status === "fulfilled") continue;
      if (!(end.reason instanceof ApiError)) throw end.reason;
      error.value = end.reason;
    }
  }

  return { count: computed(() => stoppable.value.length), asking, stopAll, error };
}
