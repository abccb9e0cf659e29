import { useEventListener } from "@vueuse/core";
import type { Ref } from "vue";

/** Tells by how many CSS pixels two fingers on the element have moved together. */
export function useTwoFingers(element: Ref<HTMLElement | null>, moved: (x: number, y: number) => void): void {
  let before: { x: number; y: number } | null = null;

  useEventListener(element, "touchmove", ({ touches: [first, second] }: TouchEvent) => {
    if (first === undefined || second === undefined) return;
    const now = { x: (first.clientX + second.clientX) / 2, y: (first.clientY + second.clientY) / 2 };
    if (before !== null) moved(now.x - before.x, now.y - before.y);
    before = now;
  });
  useEventListener(element, ["touchend", "touchcancel"], () => {
    before = null;
  });
}
