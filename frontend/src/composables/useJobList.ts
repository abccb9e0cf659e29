import { computed, ref, shallowRef, toValue, watch, type ComputedRef, type MaybeRefOrGetter, type Ref, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { listJobs } from "@/api/jobs";
import type { Job, Medium } from "@/api/types";
import { useJobs, viewOf, type JobView } from "@/composables/useJobs";

export interface UseJobList {
  /** Newest first; what runs is live. */
  items: ComputedRef<JobView[]>;
  state: Ref<"loading" | "ready" | "failed">;
  error: ShallowRef<ApiError | null>;
  hasMore: ComputedRef<boolean>;
  more: () => Promise<void>;
  load: () => Promise<void>;
}

/** The jobs of a kind (all without one), page by page, with those of this page among them. */
export function useJobList(kind: MaybeRefOrGetter<Medium | null>): UseJobList {
  const jobs = useJobs();
  const listed = shallowRef<readonly Job[]>([]);
  const next = shallowRef<string | null>(null);
  const state = ref<"loading" | "ready" | "failed">("loading");
  const error = shallowRef<ApiError | null>(null);

  const items = computed(() => {
    const wanted = toValue(kind);
    const all = new Map<string, JobView>();
    for (const job of listed.value) all.set(job.id, jobs.views.get(job.id) ?? viewOf(job));
    for (const view of jobs.views.values()) if (wanted === null || view.job.kind === wanted) all.set(view.id, view);
    return [...all.values()].sort((a, b) => b.job.created_at.localeCompare(a.job.created_at));
  });
  const hasMore = computed(() => next.value !== null);

  async function read(cursor: string | null): Promise<void> {
    const wanted = toValue(kind);
    state.value = "loading";
    try {
      const page = await listJobs({ ...(wanted === null ? {} : { kind: wanted }), ...(cursor === null ? {} : { cursor }) });
      if (toValue(kind) !== wanted) return;
      listed.value = cursor === null ? page.results : [...listed.value, ...page.results];
      next.value = page.next;
      error.value = null;
      state.value = "ready";
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
      state.value = "failed";
    }
  }

  const load = (): Promise<void> => read(null);
  const more = (): Promise<void> => read(next.value);

  watch(
    () => toValue(kind),
    () => {
      listed.value = [];
      next.value = null;
      void load();
    },
    { immediate: true },
  );
  return { items, state, error, hasMore, more, load };
}
