import { defineStore } from "pinia";
import { computed, shallowReactive, toValue, type MaybeRefOrGetter, type WritableComputedRef } from "vue";

/** What a reader has opened or closed. It outlives the row that it is in: of a long thread only what is in sight is kept. */
const useFolds = defineStore("folds", () => ({ chosen: shallowReactive(new Map<string, boolean>()) }));

/** Whether the part called `key` is open: as the reader wants it, else as `otherwise` says. */
export function useFold(key: MaybeRefOrGetter<string>, otherwise: MaybeRefOrGetter<boolean> = false): WritableComputedRef<boolean> {
  const { chosen } = useFolds();
  return computed({
    get: () => chosen.get(toValue(key)) ?? toValue(otherwise),
    set: (open) => {
      chosen.set(toValue(key), open);
    },
  });
}
