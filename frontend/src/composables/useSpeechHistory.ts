import { refDebounced } from "@vueuse/core";
import { computed, ref, shallowReactive, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { deleteSpeech, listSpeeches, restoreSpeech } from "@/api/speeches";
import type { VoiceJob } from "@/api/types";
import { useJobs, viewOf, type JobView } from "@/composables/useJobs";
import { wordsOf } from "@/composables/useVoiceForm";
import { whenBack } from "@/composables/whenBack";

const TYPING_MS = 250;
export const UNDO_MS = 10_000;

export interface SpeechView extends JobView {
  readonly job: VoiceJob;
}

export interface UseSpeechHistory {
  /** Newest first; what runs is live. */
  items: ComputedRef<SpeechView[]>;
  search: Ref<string>;
  state: Ref<"loading" | "ready" | "failed">;
  error: ShallowRef<ApiError | null>;
  hasMore: ComputedRef<boolean>;
  /** What was just deleted and can be brought back, by its words. */
  removed: ReadonlyMap<string, string>;
  load: () => Promise<void>;
  more: () => Promise<void>;
  remove: (speech: SpeechView) => Promise<void>;
  undo: (id: string) => Promise<void>;
}

function isSpeech(view: JobView): view is SpeechView {
  return view.job.kind === "voice";
}

/** One's speeches, page by page, with those of this page among them. */
export function useSpeechHistory(): UseSpeechHistory {
  const jobs = useJobs();
  const listed = shallowRef<readonly VoiceJob[]>([]);
  const next = shallowRef<string | null>(null);
  const state = ref<"loading" | "ready" | "failed">("loading");
  const error = shallowRef<ApiError | null>(null);
  const search = ref("");
  const removed = shallowReactive(new Map<string, string>());

  const wanted = refDebounced(
    computed(() => search.value.trim()),
    TYPING_MS,
  );
  const items = computed(() => {
    const all = new Map<string, SpeechView>();
    const sought = wanted.value.toLowerCase();
    for (const job of listed.value) all.set(job.id, viewOfSpeech(job));
    for (const view of jobs.views.values()) {
      if (isSpeech(view) && wordsOf(view.job.input).toLowerCase().includes(sought)) all.set(view.id, view);
    }
    return [...all.values()].filter((each) => !removed.has(each.id)).sort((a, b) => b.job.created_at.localeCompare(a.job.created_at));
  });
  const hasMore = computed(() => next.value !== null);

  function viewOfSpeech(job: VoiceJob): SpeechView {
    const known = jobs.views.get(job.id);
    return known !== undefined && isSpeech(known) ? known : { ...viewOf(job), job };
  }

  let asked = 0;

  async function read(cursor: string | null): Promise<void> {
    asked += 1;
    const mine = asked;
    const sought = wanted.value;
    state.value = "loading";
    try {
      const page = await listSpeeches({ ...(sought === "" ? {} : { search: sought }), ...(cursor === null ? {} : { cursor }) });
      if (mine !== asked) return;
      listed.value = cursor === null ? page.results : [...listed.value, ...page.results];
      next.value = page.next;
      error.value = null;
      state.value = "ready";
    } catch (reason) {
      if (mine !== asked) return;
      state.value = "failed";
      fail(reason);
    }
  }

  const load = (): Promise<void> => read(null);
  const more = (): Promise<void> => read(next.value);

  function fail(reason: unknown): void {
    if (!(reason instanceof ApiError)) throw reason;
    error.value = reason;
  }

  async function remove({ id, job }: SpeechView): Promise<void> {
    removed.set(id, wordsOf(job.input));
    try {
      await deleteSpeech(id);
    } catch (reason) {
      removed.delete(id);
      fail(reason);
      return;
    }
    setTimeout(() => {
      if (!removed.has(id)) return;
      listed.value = listed.value.filter((each) => each.id !== id);
      jobs.forget(id);
      removed.delete(id);
    }, UNDO_MS);
  }

  async function undo(id: string): Promise<void> {
    try {
      await restoreSpeech(id);
      removed.delete(id);
    } catch (reason) {
      fail(reason);
    }
  }

  watch(wanted, () => void load(), { immediate: true });
  whenBack(() => void load());
  return { items, search, state, error, hasMore, removed, load, more, remove, undo };
}
