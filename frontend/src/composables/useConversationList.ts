import { refDebounced } from "@vueuse/core";
import { defineStore } from "pinia";
import { computed, ref, shallowReactive, shallowRef, watch } from "vue";

import { listConversations } from "@/api/conversations";
import { ApiError } from "@/api/http";
import type { Conversation } from "@/api/types";
import { compareConversations, groupConversations } from "@/composables/conversationGroups";
import { useConversations } from "@/composables/useConversations";
import { useSession } from "@/composables/useSession";
import { whenBack } from "@/composables/whenBack";

const TYPING_MS = 250;
export const UNDO_MS = 10_000;

/** A conversation that was deleted and can still be brought back. */
interface Removed {
  readonly conversation: Conversation;
  readonly undo: () => Promise<void>;
}

/** The list of conversations: what of them is looked at, page by page, and what was just deleted. */
export const useConversationList = defineStore("conversationList", () => {
  const conversations = useConversations();
  const session = useSession();

  const search = ref("");
  const archived = ref(false);
  /** What the server found for the search. */
  const found = shallowRef<ReadonlySet<string>>(new Set());
  const next = shallowRef<string | null>(null);
  const state = ref<"loading" | "ready" | "failed">("loading");
  const error = shallowRef<ApiError | null>(null);
  const removed = shallowReactive(new Map<string, Removed>());
  /** Set again with each reading: "today" is another day after midnight. */
  const now = shallowRef(new Date());

  const wanted = refDebounced(
    computed(() => search.value.trim()),
    TYPING_MS,
  );
  const groups = computed(() => {
    const rows = [...conversations.rows.values()].filter((each) => each.archived === archived.value);
    const listed = wanted.value === "" ? rows : rows.filter((each) => found.value.has(each.id));
    return groupConversations(listed, now.value);
  });
  const hasMore = computed(() => next.value !== null);

  let asked = 0;

  async function read(cursor: string | null): Promise<void> {
    asked += 1;
    const mine = asked;
    const looking = wanted.value;
    state.value = "loading";
    try {
      const page = await listConversations({
        archived: archived.value,
        ...(looking === "" ? {} : { search: looking }),
        ...(cursor === null ? {} : { cursor }),
      });
      if (mine !== asked) return;
      if (cursor === null && looking === "") dropGone(page.results, page.next === null);
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
  function dropGone(first: readonly Conversation[], all: boolean): void {
    const end = first.at(-1);
    const still = new Set(first.map((each) => each.id));
    for (const row of conversations.rows.values()) {
      const expected = all || (end !== undefined && compareConversations(row, end) < 0);
      if (row.archived === archived.value && expected && !still.has(row.id)) conversations.forget(row.id);
    }
  }

  const more = (): Promise<void> => read(next.value);

  async function load(): Promise<void> {
    if (session.user === null) return;
    now.value = new Date();
    await read(null);
  }

  async function remove(id: string): Promise<void> {
    const conversation = conversations.rows.get(id);
    const undo = await conversations.remove(id);
    if (conversation === undefined || undo === null) return;
    removed.set(id, { conversation, undo });
    setTimeout(() => removed.delete(id), UNDO_MS);
  }

  async function undo(id: string): Promise<void> {
    const back = removed.get(id);
    removed.delete(id);
    await back?.undo();
  }

  watch([wanted, archived], () => {
    void load();
  });
  whenBack(() => void load());
  watch(
    () => session.user?.id,
    () => {
      search.value = "";
      archived.value = false;
      removed.clear();
    },
  );

  return { search, archived, groups, state, error, hasMore, removed, load, more, remove, undo };
});
