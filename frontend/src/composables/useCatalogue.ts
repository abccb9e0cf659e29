import { defineStore } from "pinia";
import { computed, ref, shallowRef, watch } from "vue";

import { ApiError } from "@/api/http";
import { listModels } from "@/api/models";
import type { Model } from "@/api/types";
import { useSession } from "@/composables/useSession";
import { i18n } from "@/i18n";

/** The models of this studio, read once and shared by all who show them. */
export const useCatalogue = defineStore("catalogue", () => {
  const session = useSession();
  const models = shallowRef<readonly Model[]>([]);
  const state = ref<"unread" | "loading" | "ready" | "failed">("unread");
  const error = shallowRef<ApiError | null>(null);
  const byId = computed(() => new Map(models.value.map((model) => [model.id, model])));
  let reading: Promise<void> | null = null;

  async function read(): Promise<void> {
    // What is shown stays while it is read again.
    if (state.value !== "ready") state.value = "loading";
    try {
      models.value = await listModels();
      error.value = null;
      state.value = "ready";
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
      state.value = "failed";
    }
  }

  /** Read them (again); who asks meanwhile waits for the same answer. */
  async function load(): Promise<void> {
    reading ??= read().finally(() => {
      reading = null;
    });
    await reading;
  }

  async function loadOnce(): Promise<void> {
    if (state.value !== "ready") await load();
  }

  /** Take over what an answer of the server says of one model. */
  function put(changed: Model): void {
    models.value = models.value.map((model) => (model.id === changed.id ? changed : model));
  }

  // The server says names and notes in the language that it is asked in.
  watch(i18n.global.locale, () => {
    if (state.value === "ready") void load();
  });
  watch(
    () => session.user?.id,
    () => {
      models.value = [];
      state.value = "unread";
    },
  );

  return { models, byId, state, error, load, loadOnce, put };
});
