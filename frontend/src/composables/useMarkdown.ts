import { computed, toValue, type ComputedRef, type MaybeRefOrGetter } from "vue";

import { GrowingMarkdown, type Block } from "@/composables/markdown";

/** The blocks of a text that may still grow. */
export function useMarkdown(text: MaybeRefOrGetter<string>): ComputedRef<Block[]> {
  const growing = new GrowingMarkdown();
  return computed(() => growing.update(toValue(text)));
}
