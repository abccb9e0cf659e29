import { refDebounced, useLocalStorage } from "@vueuse/core";
import { defineStore } from "pinia";
import { computed, ref, shallowReactive, shallowRef, watch } from "vue";

import * as api from "@/api/folders";
import type { Conversation, Folder } from "@/api/types";
import { UNDO_MS } from "@/composables/undo";
import { useConversations } from "@/composables/useConversations";
import { useSession } from "@/composables/useSession";
import { useTrying } from "@/composables/useTrying";

const COUNT_AFTER_MS = 600;

/** The person's folders, which of them are unfolded here, and those that were just deleted. */
export const useFolders = defineStore("folders", () => {
  const conversations = useConversations();
  const session = useSession();

  const folders = shallowRef<readonly Folder[]>([]);
  /** Whether the server has said once which there are. */
  const known = ref(false);
  const { error, trying } = useTrying();
  const removed = shallowReactive(new Map<string, Folder>());
  const unfolded = useLocalStorage<string[]>("studio.folders.unfolded", []);

  const ids = computed(() => new Set(folders.value.map((each) => each.id)));

  /** The folder that a conversation is in: null also where that one is gone. */
  function folderOf({ folder }: Conversation): string | null {
    return folder !== null && known.value && !ids.value.has(folder) ? null : folder;
  }

  function set(changed: readonly Folder[]): void {
    folders.value = [...changed].sort((a, b) => a.name.localeCompare(b.name));
  }

  /** A notice may have brought it already. */
  function put(folder: Folder): void {
    set([...folders.value.filter((each) => each.id !== folder.id), folder]);
  }

  async function load(): Promise<void> {
    await trying(async () => {
      set(await api.listFolders());
      known.value = true;
    });
  }

  /** A new folder, unfolded; null when it could not be made. */
  async function create(name: string): Promise<string | null> {
    let made: Folder | null = null;
    await trying(async () => {
      made = await api.createFolder(name);
      put(made);
      unfold(made.id, true);
    });
    return (made as Folder | null)?.id ?? null;
  }

  async function rename(id: string, name: string): Promise<void> {
    const before = folders.value;
    set(before.map((each) => (each.id === id ? { ...each, name } : each)));
    await trying(
      async () => {
        const renamed = await api.renameFolder(id, name);
        set(folders.value.map((each) => (each.id === id ? renamed : each)));
      },
      () => {
        set(before);
      },
    );
  }

  /** Delete it, its conversations stay; false when it could not be deleted. */
  async function remove(id: string): Promise<boolean> {
    const folder = folders.value.find((each) => each.id === id);
    if (folder === undefined) return false;
    set(folders.value.filter((each) => each.id !== id));
    const done = await trying(
      () => api.deleteFolder(id),
      () => {
        put(folder);
      },
    );
    if (done) {
      removed.set(id, folder);
      setTimeout(() => removed.delete(id), UNDO_MS);
    }
    return done;
  }

  async function undo(id: string): Promise<void> {
    removed.delete(id);
    await trying(async () => {
      put(await api.restoreFolder(id));
    });
  }

  function isUnfolded(id: string): boolean {
    return unfolded.value.includes(id);
  }

  function unfold(id: string, open: boolean): void {
    const others = unfolded.value.filter((each) => each !== id);
    unfolded.value = open ? [...others, id] : others;
  }

  // What is filed, taken out, archived or deleted changes the numbers, whoever did it.
  const filed = computed(() => [...conversations.rows.values()].filter((each) => each.folder !== null).map((each) => `${each.id}${each.folder ?? ""}${String(each.archived)}`).sort().join());
  watch(refDebounced(filed, COUNT_AFTER_MS), () => {
    if (known.value && session.user !== null) void load();
  });
  watch(
    () => session.user?.id,
    () => {
      folders.value = [];
      known.value = false;
      removed.clear();
      error.value = null;
    },
  );

  return { folders, error, removed, folderOf, load, create, rename, remove, undo, isUnfolded, unfold };
});
