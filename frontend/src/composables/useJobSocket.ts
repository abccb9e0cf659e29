import { useIntervalFn, useOnline } from "@vueuse/core";
import { computed, ref, type ComputedRef } from "vue";

import { useJobs } from "@/composables/useJobs";

export type ConnectionState =
  | { status: "fine" }
  | { status: "offline" }
  | { status: "connecting" }
  | { status: "waiting"; seconds: number };

/** How the page's one socket stands, in the terms a reader needs. Its work is in `useJobs`. */
export function useJobSocket(): { state: ComputedRef<ConnectionState>; reconnect: () => void } {
  const jobs = useJobs();
  const online = useOnline();
  const now = ref(Date.now());
  useIntervalFn(() => {
    now.value = Date.now();
  }, 1000);
  const state = computed<ConnectionState>(() => {
    const { connection } = jobs;
    if (connection.status === "open" || connection.status === "closed") return { status: "fine" };
    if (!online.value) return { status: "offline" };
    if (connection.status === "connecting") return { status: "connecting" };
    const seconds = Math.max(1, Math.ceil((connection.retryAt - now.value) / 1000));
    return { status: "waiting", seconds };
  });
  return { state, reconnect: jobs.reconnect };
}
