import { useClipboard } from "@vueuse/core";
import type { Ref } from "vue";

/** Copy a text and say so for two seconds. */
export function useClipboardNotice(): { copied: Readonly<Ref<boolean>>; copy: (text: string) => Promise<void> } {
  // `legacy`: the clipboard's own interface is missing where a page came over plain http from another machine.
  return useClipboard({ legacy: true, copiedDuring: 2000 });
}
