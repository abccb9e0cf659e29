import { defineStore } from "pinia";
import { computed, ref, shallowReactive, watch } from "vue";

import * as api from "@/api/assistants";
import { ApiError } from "@/api/http";
import type { Assistant } from "@/api/types";
import { UNDO_MS } from "@/composables/undo";
import { useNotices } from "@/composables/useNotices";
import { useSession } from "@/composables/useSession";
import { useTrying } from "@/composables/useTrying";

/** The person's assistants, and those that were just deleted. */
export const useAssistants = defineStore("assistants", () => {
  const session = useSession();
  const rows = shallowReactive(new Map<string, Assistant>());
  const state = ref<"unread" | "loading" | "ready" | "failed">("unread");
  const { error, trying } = useTrying();
  const removed = shallowReactive(new Map<string, Assistant>());

  const all = computed(() => [...rows.values()].sort((a, b) => a.name.localeCompare(b.name)));

  function get(id: string | null | undefined): Assistant | null {
    return rows.get(id ?? "") ?? null;
  }

  async function load(): Promise<void> {
    if (state.value !== "ready") state.value = "loading";
    try {
      const found = await api.listAssistants();
      rows.clear();
      for (const each of found) rows.set(each.id, each);
      error.value = null;
      state.value = "ready";
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
      if (state.value === "loading") state.value = "failed";
    }
  }

  /** Know them, if nobody has asked yet. */
  async function need(): Promise<void> {
    if (state.value === "unread" || state.value === "failed") await load();
  }

  /** Keep it, a new one without an id. Throws ApiError. */
  async function save(id: string | null, fields: api.AssistantFields): Promise<Assistant> {
    const kept = id === null ? await api.createAssistant(fields) : await api.changeAssistant(id, fields);
    rows.set(kept.id, kept);
    return kept;
  }

  /** Make one of an Ollama Modelfile. Throws ApiError. */
  async function importModelfile(name: string, modelfile: string): Promise<Assistant> {
    const made = await api.importModelfile(name, modelfile);
    rows.set(made.id, made);
    return made;
  }

  async function remove(id: string): Promise<void> {
    const assistant = rows.get(id);
    if (assistant === undefined) return;
    rows.delete(id);
    const done = await trying(
      () => api.deleteAssistant(id),
      () => rows.set(id, assistant),
    );
    if (!done) return;
    removed.set(id, assistant);
    setTimeout(() => removed.delete(id), UNDO_MS);
  }

  async function undo(id: string): Promise<void> {
    removed.delete(id);
    await trying(async () => {
      rows.set(id, await api.restoreAssistant(id));
    });
  }

  useNotices("assistants", () => {
    if (state.value !== "unread") void load();
  });
  watch(
    () => session.user?.id,
    () => {
      rows.clear();
      removed.clear();
      state.value = "unread";
      error.value = null;
    },
  );

  return { all, state, error, removed, get, load, need, save, importModelfile, remove, undo };
});
