import { computed, ref, shallowRef, toValue, type ComputedRef, type MaybeRefOrGetter, type Ref, type ShallowRef } from "vue";
import { useLocalStorage } from "@vueuse/core";

import { ApiError } from "@/api/http";
import { listModels } from "@/api/models";
import type { Medium, Model } from "@/api/types";
import { whenBack } from "@/composables/whenBack";

export interface UseModels {
  models: ShallowRef<readonly Model[]>;
  /** The wanted model, else the picked one, the default where nothing was picked, null while there is none. */
  model: ComputedRef<Model | null>;
  pick: (id: string) => void;
  state: Ref<"loading" | "ready" | "failed">;
  error: ShallowRef<ApiError | null>;
  load: () => Promise<void>;
}

/** The models of a medium and the one in use: `wanted` where that can be used, else what this browser remembers. */
export function useModels(medium: Medium, wanted?: MaybeRefOrGetter<string | undefined>): UseModels {
  const models = shallowRef<readonly Model[]>([]);
  const state = ref<"loading" | "ready" | "failed">("loading");
  const error = shallowRef<ApiError | null>(null);
  const picked = useLocalStorage(`studio.model.${medium}`, "");

  const model = computed(() => {
    const usable = models.value.filter((each) => each.enabled);
    const of = (id: string | undefined): Model | undefined => usable.find((each) => each.id === id);
    return of(toValue(wanted)) ?? of(picked.value) ?? usable.find((each) => each.default) ?? usable[0] ?? null;
  });

  async function load(): Promise<void> {
    state.value = "loading";
    try {
      models.value = await listModels(medium);
      error.value = null;
      state.value = "ready";
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
      state.value = "failed";
    }
  }

  function pick(id: string): void {
    picked.value = id;
  }

  void load();
  whenBack(() => {
    if (state.value === "failed") void load();
  });
  return { models, model, pick, state, error, load };
}
