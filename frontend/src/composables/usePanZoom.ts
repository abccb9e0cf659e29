import { useEventListener } from "@vueuse/core";
import { computed, ref, type ComputedRef, type Ref } from "vue";

export interface Zoom {
  readonly scale: number;
  /** How far the middle is moved, in CSS pixels. */
  readonly x: number;
  readonly y: number;
}

export interface Place {
  readonly x: number;
  readonly y: number;
}

export const FIT: Zoom = { scale: 1, x: 0, y: 0 };
const LARGEST = 16;
const STEP = 1.4;
const WHEEL_STEP = 1.15;

/** Larger or smaller by a factor, with what is at `at` (from the middle) staying there. */
export function zoomedAt(zoom: Zoom, factor: number, at: Place): Zoom {
  const scale = Math.min(LARGEST, Math.max(1, zoom.scale * factor));
  if (scale === 1) return FIT;
  const grown = scale / zoom.scale;
  return { scale, x: at.x - (at.x - zoom.x) * grown, y: at.y - (at.y - zoom.y) * grown };
}

export interface UsePanZoom {
  zoom: Ref<Zoom>;
  transform: ComputedRef<string>;
  zoomBy: (steps: 1 | -1) => void;
  fit: () => void;
}

/** Zoom by wheel, double click and two fingers; move by dragging what is larger than its box. */
export function usePanZoom(box: Ref<HTMLElement | null>): UsePanZoom {
  const zoom = ref<Zoom>(FIT);
  const pointers = new Map<number, Place>();

  function fromMiddle({ clientX, clientY }: MouseEvent): Place {
    const { left, top, width, height } = box.value?.getBoundingClientRect() ?? new DOMRect();
    return { x: clientX - left - width / 2, y: clientY - top - height / 2 };
  }

  function onMove(event: PointerEvent): void {
    const before = pointers.get(event.pointerId);
    if (before === undefined) return;
    const now = fromMiddle(event);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, now);
    if (other !== undefined) zoom.value = zoomedAt(zoom.value, distance(now, other) / Math.max(1, distance(before, other)), between(now, other));
    else if (zoom.value.scale > 1) zoom.value = { ...zoom.value, x: zoom.value.x + now.x - before.x, y: zoom.value.y + now.y - before.y };
  }

  useEventListener(box, "pointerdown", (event: PointerEvent) => {
    box.value?.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, fromMiddle(event));
  });
  useEventListener(box, "pointermove", onMove);
  useEventListener(box, ["pointerup", "pointercancel"], (event: PointerEvent) => pointers.delete(event.pointerId));
  useEventListener(box, "dblclick", (event: MouseEvent) => {
    zoom.value = zoom.value.scale > 1 ? FIT : zoomedAt(FIT, STEP ** 3, fromMiddle(event));
  });
  useEventListener(
    box,
    "wheel",
    (event: WheelEvent) => {
      event.preventDefault();
      zoom.value = zoomedAt(zoom.value, event.deltaY < 0 ? WHEEL_STEP : 1 / WHEEL_STEP, fromMiddle(event));
    },
    { passive: false },
  );

  return {
    zoom,
    transform: computed(() => `translate(${zoom.value.x}px, ${zoom.value.y}px) scale(${zoom.value.scale})`),
    zoomBy: (steps) => {
      zoom.value = zoomedAt(zoom.value, STEP ** steps, { x: 0, y: 0 });
    },
    fit: () => {
      zoom.value = FIT;
    },
  };
}

const distance = (a: Place, b: Place): number => Math.hypot(a.x - b.x, a.y - b.y);
const between = (a: Place, b: Place): Place => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
