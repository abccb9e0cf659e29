import { useEventListener, useResizeObserver } from "@vueuse/core";
import { computed, nextTick, ref, type ComputedRef, type Ref } from "vue";

const NEAR_PX = 40;
// For so long after a key, a wheel or a touch the view may still be moving by it.
const READER_MS = 400;

export interface UseStickToEnd {
  /** Whether the view is at the end and follows it. */
  following: Ref<boolean>;
  /** There is more below that the reader does not see and the view does not follow. */
  away: ComputedRef<boolean>;
  toEnd: () => void;
}

/**
 * Keep a scrolling element at its end while the reader is there.
 *
 * One scroll upward stops it and nothing moves any more; coming back to the end starts it again. A list that measures
 * its rows moves the view as well: only what comes of the reader's hands counts.
 */
export function useStickToEnd(scroller: Ref<HTMLElement | null>, content: Ref<HTMLElement | null>): UseStickToEnd {
  const following = ref(true);
  const near = ref(true);
  let lastTop = 0;
  let readerUntil = 0;
  let holding = false;

  function look(element: HTMLElement): void {
    near.value = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX;
  }

  function jump(): void {
    const element = scroller.value;
    if (element === null) return;
    element.scrollTop = element.scrollHeight;
    lastTop = element.scrollTop;
  }

  function readerActs(): void {
    readerUntil = performance.now() + READER_MS;
  }

  function onScroll(): void {
    const element = scroller.value;
    if (element === null) return;
    const top = element.scrollTop;
    look(element);
    const byReader = holding || performance.now() < readerUntil;
    if (top < lastTop - 1 && byReader) following.value = false;
    else if (top > lastTop && near.value) following.value = true;
    lastTop = top;
  }

  function onWheel(event: WheelEvent): void {
    readerActs();
    // Faster than the scroll event, which arrives after the next token has already pulled the view down.
    if (event.deltaY < 0 && (scroller.value?.scrollTop ?? 0) > 0) following.value = false;
  }

  function setHolding(event: PointerEvent): void {
    // What is held is the bar that scrolls; the middle button scrolls from anywhere.
    holding = event.target === scroller.value || event.button === 1;
  }

  const passive = { passive: true };
  useEventListener(scroller, "scroll", onScroll, passive);
  useEventListener(scroller, "wheel", onWheel, passive);
  useEventListener(scroller, ["touchmove", "keydown"], readerActs, passive);
  useEventListener(scroller, "pointerdown", setHolding, passive);
  useEventListener(["pointerup", "pointercancel"], () => (holding = false), passive);
  useResizeObserver([scroller, content], () => {
    if (following.value) jump();
    if (scroller.value !== null) look(scroller.value);
  });

  function toEnd(): void {
    following.value = true;
    void nextTick(jump);
  }

  return { following, away: computed(() => !following.value && !near.value), toEnd };
}
