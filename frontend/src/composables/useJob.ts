import { computed, shallowRef, toValue, watch, type ComputedRef, type MaybeRefOrGetter, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { useJobs, type JobView } from "@/composables/useJobs";

export interface UseJob {
  /** The job and its growing snapshot; null while it is asked for. */
  view: ComputedRef<JobView | null>;
  /** Why it cannot be shown, in the server's answer. */
  error: ShallowRef<ApiError | null>;
}

/** A job that is followed for as long as it runs, wherever it was started. */
export function useJob(id: MaybeRefOrGetter<string | null>): UseJob {
  const jobs = useJobs();
  const error = shallowRef<ApiError | null>(null);
  watch(
    () => toValue(id),
    async (wanted) => {
      error.value = null;
      if (wanted === null) return;
      try {
        await jobs.open(wanted);
      } catch (reason) {
        if (!(reason instanceof ApiError)) throw reason;
        if (toValue(id) === wanted) error.value = reason;
      }
    },
    { immediate: true },
  );
  const view = computed(() => {
    const wanted = toValue(id);
    return wanted === null ? null : (jobs.views.get(wanted) ?? null);
  });
  return { view, error };
}
