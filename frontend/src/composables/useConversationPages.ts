import { computed, ref, shallowRef, type ComputedRef, type Ref, type ShallowRef } from "vue";

import { listConversations, type ConversationQuery } from "@/api/conversations";
import { ApiError } from "@/api/http";
import type { Conversation } from "@/api/types";
import { compareConversations } from "@/composables/conversationGroups";
import { useConversations } from "@/composables/useConversations";

export interface UseConversationPages {
  state: Ref<"loading" | "ready" | "failed">;
  error: ShallowRef<ApiError | null>;
  /** What the server has named so far. */
  found: ShallowRef<ReadonlySet<string>>;
  hasMore: ComputedRef<boolean>;
  /** From the first page on. */
  load: () => Promise<void>;
  more: () => Promise<void>;
}

/**
 * Reads a list of conversations page by page into the store.
 *
 * `shows` says which of the known rows the list should have named: those that it did not are gone. Null where the list
 * is only a part of them, as in a search.
 */
export function useConversationPages(query: () => ConversationQuery, shows: () => ((row: Conversation) => boolean) | null): UseConversationPages {
  const conversations = useConversations();
  const state = ref<"loading" | "ready" | "failed">("loading");
  const error = shallowRef<ApiError | null>(null);
  const found = shallowRef<ReadonlySet<string>>(new Set());
  const next = shallowRef<string | null>(null);
  let asked = 0;

  async function read(cursor: string | null): Promise<void> {
    asked += 1;
    const mine = asked;
    const belongs = shows();
    state.value = "loading";
    try {
      const page = await listConversations({ ...query(), ...(cursor === null ? {} : { cursor }) });
      if (mine !== asked) return;
      if (cursor === null && belongs !== null) dropGone(page.results, page.next === null, belongs);
      for (const each of page.results) conversations.put(each);
      found.value = new Set([...(cursor === null ? [] : found.value), ...page.results.map((each) => each.id)]);
      next.value = page.next;
      error.value = null;
      state.value = "ready";
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      if (mine !== asked) return;
      error.value = reason;
      state.value = "failed";
    }
  }

  /** Another device may have deleted some; those that are open here tell it themselves. */
  function dropGone(first: readonly Conversation[], all: boolean, belongs: (row: Conversation) => boolean): void {
    const end = first.at(-1);
    const still = new Set(first.map((each) => each.id));
    for (const row of conversations.rows.values()) {
      const expected = all || (end !== undefined && compareConversations(row, end) < 0);
      if (belongs(row) && expected && !still.has(row.id)) conversations.forget(row.id);
    }
  }

  return { state, error, found, hasMore: computed(() => next.value !== null), load: () => read(null), more: () => read(next.value) };
}
