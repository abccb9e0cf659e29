import { clamp } from "@vueuse/core";
import type { Ref } from "vue";

export interface PanelLimits {
  min: number;
  max: number;
  /** Where a double click brings it back to. */
  usual: number;
}

export interface UsePanelWidth {
  /** For a pointer that goes down on the edge. */
  drag: (event: PointerEvent) => void;
  /** For a key that is pressed on the edge; whether it meant something. */
  press: (key: string) => boolean;
  reset: () => void;
}

const STEP_PX = 16;

/** The width of a panel, changed at its edge: `grows` says in which direction of the page it becomes wider. */
export function usePanelWidth(width: Ref<number>, grows: 1 | -1, limits: PanelLimits): UsePanelWidth {
  function set(wanted: number): void {
    width.value = clamp(Math.round(wanted), limits.min, limits.max);
  }

  function drag(event: PointerEvent): void {
    const edge = event.currentTarget;
    if (event.button !== 0 || !(edge instanceof HTMLElement)) return;
    const from = { x: event.clientX, width: width.value };
    const move = (moved: PointerEvent): void => {
      set(from.width + grows * (moved.clientX - from.x));
    };
    const end = (): void => {
      edge.removeEventListener("pointermove", move);
    };
    edge.setPointerCapture(event.pointerId);
    edge.addEventListener("pointermove", move);
    for (const over of ["pointerup", "pointercancel"]) edge.addEventListener(over, end, { once: true });
  }

  function press(key: string): boolean {
    const wanted: Partial<Record<string, number>> = {
      ArrowLeft: width.value - grows * STEP_PX,
      ArrowRight: width.value + grows * STEP_PX,
      Home: limits.min,
      End: limits.max,
    };
    if (wanted[key] === undefined) return false;
    set(wanted[key]);
    return true;
  }

  function reset(): void {
    set(limits.usual);
  }

  return { drag, press, reset };
}
