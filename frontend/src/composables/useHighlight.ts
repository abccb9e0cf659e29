import { shallowRef, watch, type ShallowRef } from "vue";

import { highlighting } from "@/composables/heavy";

/** Code in colours once it is done; null for plain code. */
export function useHighlight(code: () => string, language: () => string, closed: () => boolean): ShallowRef<string | null> {
  const html = shallowRef<string | null>(null);
  watch(
    [code, language, closed],
    async ([text, name, done]) => {
      html.value = null;
      if (!done || name === "") return;
      const { highlight } = highlighting.now() ?? (await highlighting.wanted()) ?? {};
      if (code() === text && language() === name) html.value = highlight?.(text, name) ?? null;
    },
    { immediate: true },
  );
  return html;
}
