import { useEventListener, useResizeObserver } from "@vueuse/core";
import { nextTick, ref, type Ref } from "vue";

const NEAR_PX = 40;

export interface UseStickToEnd {
  /** Whether the view is at the end and follows it. */
  following: Ref<boolean>;
  toEnd: () => void;
}

/**
 * Keep a scrolling element at its end while the reader is there.
 *
 * One scroll upward stops it and nothing moves any more; coming back to the end starts it again.
 */
export function useStickToEnd(scroller: Ref<HTMLElement | null>, content: Ref<HTMLElement | null>): UseStickToEnd {
  const following = ref(true);
  let lastTop = 0;
  let lastLeft = 0;

  function leftBelow(element: HTMLElement): number {
    return element.scrollHeight - element.scrollTop - element.clientHeight;
  }

  function remember(element: HTMLElement): void {
    lastTop = element.scrollTop;
    lastLeft = leftBelow(element);
  }

  function jump(): void {
    const element = scroller.value;
    if (element === null) return;
    element.scrollTop = element.scrollHeight;
    remember(element);
  }

  useEventListener(
    scroller,
    "scroll",
    () => {
      const element = scroller.value;
      if (element === null) return;
      const [top, left] = [element.scrollTop, leftBelow(element)];
      // A list that measures its rows also moves the view, but then what is left below stays the same.
      if (top < lastTop - 1 && left > lastLeft + 1) following.value = false;
      else if (top > lastTop && left < NEAR_PX) following.value = true;
      remember(element);
    },
    { passive: true },
  );
  useEventListener(
    scroller,
    "wheel",
    (event: WheelEvent) => {
      // Faster than the scroll event, which arrives after the next token has already pulled the view down.
      if (event.deltaY < 0 && (scroller.value?.scrollTop ?? 0) > 0) following.value = false;
    },
    { passive: true },
  );
  useResizeObserver([scroller, content], () => {
    if (following.value) jump();
  });

  function toEnd(): void {
    following.value = true;
    void nextTick(jump);
  }

  return { following, toEnd };
}
