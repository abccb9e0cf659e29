import { computed, ref, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { useConversations, type Thread } from "@/composables/useConversations";
import { whenBack } from "@/composables/whenBack";

export interface UseThread {
  /** The conversation; undefined while it is not there yet. */
  thread: ComputedRef<Thread | undefined>;
  state: Ref<"loading" | "ready" | "failed">;
  error: ShallowRef<ApiError | null>;
  load: () => Promise<void>;
}

/** The conversation with this id, read again whenever another device may have gone on with it. */
export function useThread(id: Ref<string | undefined>): UseThread {
  const conversations = useConversations();
  const state = ref<"loading" | "ready" | "failed">("ready");
  const error = shallowRef<ApiError | null>(null);
  const thread = computed(() => (id.value === undefined || !conversations.isOpen(id.value) ? undefined : conversations.get(id.value)));

  async function load(): Promise<void> {
    const wanted = id.value;
    if (wanted === undefined) return;
    if (thread.value === undefined) state.value = "loading";
    try {
      await conversations.open(wanted);
      if (id.value === wanted) settle("ready", null);
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      // What is shown already stays when only the connection is gone.
      if (id.value === wanted && (thread.value === undefined || reason.code !== "offline")) settle("failed", reason);
    }
  }

  function settle(end: "ready" | "failed", why: ApiError | null): void {
    state.value = end;
    error.value = why;
  }

  watch(
    id,
    () => {
      settle("ready", null);
      void load();
    },
    { immediate: true },
  );
  whenBack(() => void load(), { atFirst: true });
  watch(
    () => id.value !== undefined && conversations.gone.has(id.value),
    (gone) => {
      // The server says so in its own words.
      if (gone) void load();
    },
  );

  return { thread, state, error, load };
}
