import { useIntervalFn } from "@vueuse/core";
import { ref, shallowRef, type Ref, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { disableModel, enableModel } from "@/api/models";
import type { Model } from "@/api/types";
import { isUnderWay } from "@/composables/modelFacts";
import { useCatalogue } from "@/composables/useCatalogue";

const LOOK_MS = 2000;
/** Between enabling and the worker's first word. */
const FIRST_WORD_MS = 20_000;

export interface UseModelSwitch {
  enable: (model: Model) => Promise<void>;
  disable: (model: Model) => Promise<void>;
  /** The id of the model that is being switched. */
  busy: Ref<string | null>;
  error: ShallowRef<ApiError | null>;
}

/** Enable and disable models, for staff; and read the list again while something is on its way. */
export function useModelSwitch(): UseModelSwitch {
  const catalogue = useCatalogue();
  const busy = ref<string | null>(null);
  const error = shallowRef<ApiError | null>(null);
  let expectedUntil = 0;

  async function change(model: Model, act: (id: string) => Promise<Model>): Promise<void> {
    busy.value = model.id;
    error.value = null;
    try {
      catalogue.put(await act(model.id));
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
    } finally {
      busy.value = null;
    }
  }

  async function enable(model: Model): Promise<void> {
    await change(model, enableModel);
    if (error.value === null) expectedUntil = Date.now() + FIRST_WORD_MS;
  }

  async function disable(model: Model): Promise<void> {
    await change(model, disableModel);
  }

  useIntervalFn(() => {
    if (catalogue.models.some(isUnderWay) || Date.now() < expectedUntil) void catalogue.load();
  }, LOOK_MS);

  return { enable, disable, busy, error };
}
