import { ref, shallowRef, type Ref, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { newId } from "@/api/ids";
import type { InputOf, Medium } from "@/api/types";
import { useJobs, type JobView } from "@/composables/useJobs";

export interface UseSubmit<K extends Medium> {
  submit: (input: InputOf[K], model: string | null) => Promise<JobView | null>;
  state: Ref<"idle" | "sending">;
  error: ShallowRef<ApiError | null>;
}

/** Submit jobs of a kind; an error stays until the next try. */
export function useSubmit<K extends Medium>(kind: K): UseSubmit<K> {
  const jobs = useJobs();
  const state = ref<"idle" | "sending">("idle");
  const error = shallowRef<ApiError | null>(null);

  async function submit(input: InputOf[K], model: string | null): Promise<JobView | null> {
    if (state.value === "sending") return null;
    state.value = "sending";
    error.value = null;
    try {
      return await jobs.submit({ kind, input, key: newId(), ...(model === null ? {} : { model }) });
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
      return null;
    } finally {
      state.value = "idle";
    }
  }

  return { submit, state, error };
}
