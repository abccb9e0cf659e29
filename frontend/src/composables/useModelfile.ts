import { refDebounced, useLocalStorage } from "@vueuse/core";
import { computed, ref, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from "vue";

import { checkModelfile, type CheckedModelfile, type ModelfileNote } from "@/api/assistants";
import { ApiError } from "@/api/http";
import type { Assistant } from "@/api/types";
import { useAssistants } from "@/composables/useAssistants";

const TYPING_MS = 400;
const NAME_MAX = 60;

export interface UseModelfile {
  name: Ref<string>;
  text: Ref<string>;
  /** What an import would take over; null while that is not known. */
  checked: ShallowRef<CheckedModelfile | null>;
  /** By the number of a line, what is wrong with it. */
  notes: ComputedRef<ReadonlyMap<number, ModelfileNote>>;
  state: Ref<"idle" | "checking" | "importing">;
  error: ShallowRef<ApiError | null>;
  read: (file: File) => Promise<void>;
  /** Make the assistant; null when the server refused, which `error` explains. */
  make: () => Promise<Assistant | null>;
}

/** A Modelfile that is typed, pasted or read from a file, with what the server says of its lines. Kept until it is imported. */
export function useModelfile(): UseModelfile {
  const assistants = useAssistants();
  const name = useLocalStorage("studio.modelfile.name", "");
  const text = useLocalStorage("studio.modelfile.text", "");
  const checked = shallowRef<CheckedModelfile | null>(null);
  const state = ref<"idle" | "checking" | "importing">("idle");
  const error = shallowRef<ApiError | null>(null);
  const notes = computed(() => new Map((checked.value?.notes ?? []).map((note) => [note.line, note])));

  async function check(wanted: string): Promise<void> {
    if (wanted.trim() === "") {
      checked.value = null;
      error.value = null;
      return;
    }
    state.value = "checking";
    const said = await trying(() => checkModelfile(wanted));
    // Typed on meanwhile: the next check knows better.
    if (wanted !== text.value) return;
    checked.value = said;
    state.value = "idle";
  }

  async function read(file: File): Promise<void> {
    text.value = await file.text();
    if (name.value.trim() === "") name.value = nameOf(file.name);
  }

  async function make(): Promise<Assistant | null> {
    if (state.value === "importing") return null;
    state.value = "importing";
    const made = await trying(() => assistants.importModelfile(name.value.trim(), text.value));
    state.value = "idle";
    if (made !== null) {
      name.value = "";
      text.value = "";
    }
    return made;
  }

  async function trying<T>(act: () => Promise<T>): Promise<T | null> {
    error.value = null;
    try {
      return await act();
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
      return null;
    }
  }

  const typed = refDebounced(
    computed(() => text.value),
    TYPING_MS,
  );
  watch(typed, (wanted) => void check(wanted), { immediate: true });
  return { name, text, checked, notes, state, error, read, make };
}

/** "pirate.Modelfile" is of a pirate; a plain "Modelfile" says nothing. */
function nameOf(file: string): string {
  const stem = file.replace(/\.[^.]*$/, "");
  return /^modelfile$/i.test(stem) ? "" : stem.slice(0, NAME_MAX);
}
