import { refDebounced } from "@vueuse/core";
import { defineStore } from "pinia";
import { computed, ref, shallowReactive, shallowRef, watch } from "vue";

import { NO_FOLDER } from "@/api/folders";
import type { Conversation } from "@/api/types";
import { groupConversations } from "@/composables/conversationGroups";
import { useConversationPages } from "@/composables/useConversationPages";
import { useConversations } from "@/composables/useConversations";
import { useFolders } from "@/composables/useFolders";
import { useNotices } from "@/composables/useNotices";
import { useSession } from "@/composables/useSession";
import { UNDO_MS } from "@/composables/undo";
import { whenBack } from "@/composables/whenBack";

const TYPING_MS = 250;

/** A conversation that was deleted and can still be brought back. */
interface Removed {
  readonly conversation: Conversation;
  readonly undo: () => Promise<void>;
}

/** The list of conversations: what of them is looked at, page by page, and what was just deleted. */
export const useConversationList = defineStore("conversationList", () => {
  const conversations = useConversations();
  const folders = useFolders();
  const session = useSession();

  const search = ref("");
  const archived = ref(false);
  const removed = shallowReactive(new Map<string, Removed>());
  /** What was known to be in the folders that were deleted here. */
  const emptied = new Map<string, readonly string[]>();
  /** Set again with each reading: "today" is another day after midnight. */
  const now = shallowRef(new Date());

  const wanted = refDebounced(
    computed(() => search.value.trim()),
    TYPING_MS,
  );
  /** Folders are places in the whole list; a search and the archive look into all of them. */
  const shelved = computed(() => wanted.value === "" && !archived.value);
  const pages = useConversationPages(
    () => ({ archived: archived.value, ...(shelved.value ? { folder: NO_FOLDER } : {}), ...(wanted.value === "" ? {} : { search: wanted.value }) }),
    () => (wanted.value === "" ? listed : null),
  );

  function listed(row: Conversation): boolean {
    return row.archived === archived.value && (!shelved.value || folders.folderOf(row) === null);
  }

  const groups = computed(() => {
    const rows = [...conversations.rows.values()].filter(listed);
    return groupConversations(wanted.value === "" ? rows : rows.filter((each) => pages.found.value.has(each.id)), now.value);
  });

  async function loadPages(): Promise<void> {
    if (session.user === null) return;
    now.value = new Date();
    await pages.load();
  }

  async function load(): Promise<void> {
    if (session.user !== null) await Promise.all([folders.load(), loadPages()]);
  }

  /** File it, or take it out of its folder with null. */
  async function move(id: string, folder: string | null): Promise<void> {
    if (conversations.rows.get(id)?.folder !== folder) await conversations.change(id, { folder });
  }

  /** What was in the folder is in none, and comes into view. */
  async function removeFolder(id: string): Promise<void> {
    const rows = [...conversations.rows.values()].filter((each) => each.folder === id);
    if (!(await folders.remove(id))) return;
    emptied.set(
      id,
      rows.map((each) => each.id),
    );
    await pages.load();
  }

  async function undoFolder(id: string): Promise<void> {
    await folders.undo(id);
    for (const each of emptied.get(id) ?? []) {
      const row = conversations.rows.get(each);
      if (row !== undefined) conversations.put({ ...row, folder: id });
    }
    await pages.load();
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
    void loadPages();
  });
  whenBack(() => void load(), { atFirst: true });
  useNotices("folders", () => void load());
  watch(
    () => session.user?.id,
    () => {
      search.value = "";
      archived.value = false;
      removed.clear();
    },
  );

  const { state, error, hasMore, more } = pages;
  return { search, archived, shelved, groups, state, error, hasMore, removed, load, more, move, remove, undo, removeFolder, undoFolder };
});
