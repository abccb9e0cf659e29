import { useMediaQuery } from "@vueuse/core";
import type { Ref } from "vue";

/** Whether the page is laid out for a phone; the style sheets draw the line at the same width. */
export function usePhone(): Ref<boolean> {
  return useMediaQuery("(max-width: 760px)");
}
