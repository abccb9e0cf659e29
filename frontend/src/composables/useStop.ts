import { shallowRef, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { useJobs } from "@/composables/useJobs";

/** Stop jobs, and know why one could not be stopped. */
export function useStop(): { stop: (id: string) => Promise<void>; error: ShallowRef<ApiError | null> } {
  const jobs = useJobs();
  const error = shallowRef<ApiError | null>(null);

  async function stop(id: string): Promise<void> {
    error.value = null;
    try {
      await jobs.stop(id);
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
    }
  }

  return { stop, error };
}
