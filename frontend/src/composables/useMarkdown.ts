import { computed, toValue, type ComputedRef, type MaybeRefOrGetter } from "vue";

import { GrowingMarkdown, type Block } from "@/composables/markdown";
import { Recent } from "@/composables/recent";

const finished = new Recent<readonly Block[]>(300);

/** The blocks of a text that may still grow. */
export function useMarkdown(text: MaybeRefOrGetter<string>, growing: MaybeRefOrGetter<boolean>): ComputedRef<readonly Block[]> {
  const markdown = new GrowingMarkdown();
  return computed(() => {
    const now = toValue(text);
    return toValue(growing) ? markdown.update(now) : finished.get(now, () => markdown.update(now));
  });
}
