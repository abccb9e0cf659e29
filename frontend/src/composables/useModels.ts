import { computed, toValue, type ComputedRef, type MaybeRefOrGetter } from "vue";
import { useLocalStorage } from "@vueuse/core";

import type { ApiError } from "@/api/http";
import type { Medium, Model } from "@/api/types";
import { useCatalogue } from "@/composables/useCatalogue";
import { whenBack } from "@/composables/whenBack";

export interface UseModels {
  models: ComputedRef<readonly Model[]>;
  /** The wanted model, else the picked one, the default where nothing was picked, null while there is none. */
  model: ComputedRef<Model | null>;
  pick: (id: string) => void;
  state: ComputedRef<"loading" | "ready" | "failed">;
  error: ComputedRef<ApiError | null>;
  load: () => Promise<void>;
}

/** The models of a medium and the one in use: `wanted` where that can be used, else what this browser remembers. */
export function useModels(medium: Medium, wanted?: MaybeRefOrGetter<string | undefined>): UseModels {
  const catalogue = useCatalogue();
  const picked = useLocalStorage(`studio.model.${medium}`, "");

  const models = computed(() => catalogue.models.filter((each) => each.medium === medium));
  const model = computed(() => {
    const usable = models.value.filter((each) => each.enabled);
    const of = (id: string | undefined): Model | undefined => usable.find((each) => each.id === id);
    return of(toValue(wanted)) ?? of(picked.value) ?? usable.find((each) => each.default) ?? usable[0] ?? null;
  });
  const state = computed(() => (catalogue.state === "unread" ? "loading" : catalogue.state));

  function pick(id: string): void {
    picked.value = id;
  }

  void catalogue.load();
  whenBack(() => {
    if (catalogue.state === "failed") void catalogue.load();
  });
  return { models, model, pick, state, error: computed(() => catalogue.error), load: catalogue.load };
}
