import { useEventListener } from "@vueuse/core";
import { computed, ref, toValue, watch, type ComputedRef, type MaybeRefOrGetter, type Ref } from "vue";

import type { Size } from "@/composables/imageSizes";
import { contextOf, hatch, paintMask, paintStep, placeIn } from "@/composables/maskPainting";
import { extended, resized, type MaskStep, type Point } from "@/composables/maskSteps";
import type { UseMask } from "@/composables/useMask";

export type MaskTool = "brush" | "eraser" | "rectangle";
export const TOOLS: readonly MaskTool[] = ["brush", "eraser", "rectangle"];

type Stroke = MaskStep & { kind: "stroke" };

export interface UseMaskCanvas {
  tool: Ref<MaskTool>;
  /** The brush's diameter as a share of the picture's longer side. */
  brush: Ref<number>;
  shown: Ref<boolean>;
  /** Where the brush is, while a pointer or the keyboard holds it over the picture. */
  place: Ref<Point | null>;
  /** The rectangle that is being drawn. */
  rectangle: ComputedRef<(MaskStep & { kind: "rectangle" }) | null>;
  resize: (by: 1 | -1) => void;
  onKey: (event: KeyboardEvent) => void;
}

const FIRST_BRUSH = 0.12;
const MIDDLE: Point = { x: 0.5, y: 0.5 };
const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/** Painting a mask on a canvas over its picture: by mouse, pen, finger or keyboard. */
export function useMaskCanvas(canvas: Ref<HTMLCanvasElement | null>, size: MaybeRefOrGetter<Size>, mask: UseMask): UseMaskCanvas {
  const tool = ref<MaskTool>("brush");
  const brush = ref(FIRST_BRUSH);
  const shown = ref(true);
  const place = ref<Point | null>(null);
  const from = ref<Point | null>(null);
  // Not a ref: its points are painted as they come, and the mask gets it whole.
  let stroke: Stroke | null = null;
  let ink: string | CanvasPattern | null = null;

  const rectangle = computed(() =>
    from.value === null || place.value === null
      ? null
      : { kind: "rectangle" as const, erase: false, from: inside(from.value), to: inside(place.value) },
  );

  function inkOf(element: HTMLElement): string | CanvasPattern {
    const colours = getComputedStyle(element);
    ink ??= hatch(colours.getPropertyValue("--mask-light").trim(), colours.getPropertyValue("--mask-dark").trim());
    return ink;
  }

  function repaint(): void {
    const element = canvas.value;
    if (element === null) return;
    const { width, height } = toValue(size);
    if (element.width !== width || element.height !== height) Object.assign(element, { width, height });
    paintMask(element, mask.base.value, mask.steps.value, inkOf(element));
  }

  function paint(step: MaskStep): void {
    const element = canvas.value;
    if (element !== null) paintStep(contextOf(element), step, inkOf(element));
  }

  const dot = (at: Point): Stroke => ({ kind: "stroke", erase: tool.value === "eraser", size: brush.value, points: [at] });

  function onDown(event: PointerEvent): void {
    const element = canvas.value;
    if (element === null || event.button !== 0) return;
    // A second finger means to move the picture.
    if (!event.isPrimary) {
      onCancel();
      return;
    }
    element.setPointerCapture(event.pointerId);
    // Nobody paints what cannot be seen.
    shown.value = true;
    const at = placeIn(element.getBoundingClientRect(), event);
    place.value = at;
    if (tool.value === "rectangle") from.value = at;
    else {
      const begun = dot(at);
      stroke = begun;
      paint(begun);
    }
  }

  function onMove(event: PointerEvent): void {
    const element = canvas.value;
    if (element === null || !event.isPrimary) return;
    const box = element.getBoundingClientRect();
    place.value = placeIn(box, event);
    if (stroke === null) return;
    // A fast pen says more places than frames are painted.
    const passed = event.getCoalescedEvents();
    for (const each of passed.length > 0 ? passed : [event]) follow(placeIn(box, each));
  }

  function follow(next: Point): void {
    if (stroke === null) return;
    const points = extended(stroke.points, next);
    if (points === stroke.points) return;
    paint({ ...stroke, points: points.slice(-2) });
    stroke = { ...stroke, points };
  }

  function onUp(event: PointerEvent): void {
    if (!event.isPrimary) return;
    if (stroke !== null) mask.add(stroke);
    const drawn = rectangle.value;
    if (drawn !== null && drawn.from.x !== drawn.to.x && drawn.from.y !== drawn.to.y) mask.add(drawn);
    drop();
    if (event.pointerType !== "mouse") place.value = null;
  }

  function drop(): void {
    stroke = null;
    from.value = null;
  }

  /** The system took the pointer away, for a gesture of its own: nothing was meant. */
  function onCancel(): void {
    drop();
    place.value = null;
    repaint();
  }

  function resize(by: 1 | -1): void {
    brush.value = resized(brush.value, by);
  }

  function onWheel(event: WheelEvent): void {
    if (event.ctrlKey || event.deltaY === 0) return;
    event.preventDefault();
    resize(event.deltaY < 0 ? 1 : -1);
  }

  /** With the canvas in focus: arrows move the brush, with Shift they paint, Space paints a dot. */
  function onCanvasKey(event: KeyboardEvent): void {
    const direction = ARROWS[event.key];
    if (direction === undefined && event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    const at = place.value ?? MIDDLE;
    const next = direction === undefined ? at : inside({ x: at.x + (direction.x * brush.value) / 2, y: at.y + (direction.y * brush.value) / 2 });
    place.value = next;
    if (tool.value === "rectangle") keyRectangle(direction === undefined, next);
    else if (direction === undefined || event.shiftKey) mask.add({ ...dot(at), points: direction === undefined ? [next] : [at, next] });
  }

  /** Space sets one corner, then the other. */
  function keyRectangle(pressed: boolean, at: Point): void {
    if (!pressed) return;
    const drawn = rectangle.value;
    from.value = drawn === null ? at : null;
    if (drawn !== null) mask.add(drawn);
  }

  function onKey(event: KeyboardEvent): void {
    if (event.target === canvas.value) onCanvasKey(event);
    if (event.target instanceof HTMLInputElement) return;
    const act = actOf(event);
    if (act === null) return;
    event.preventDefault();
    act();
  }

  function actOf(event: KeyboardEvent): (() => void) | null {
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (key === "y" || (key === "z" && event.shiftKey)) return mask.redo;
      return key === "z" ? mask.undo : null;
    }
    if (event.altKey) return null;
    return SHORTCUTS[key]?.({ tool, shown, resize, mask }) ?? null;
  }

  useEventListener(canvas, "pointerdown", onDown);
  useEventListener(canvas, "pointermove", onMove);
  useEventListener(canvas, "pointerup", onUp);
  useEventListener(canvas, "pointercancel", onCancel);
  useEventListener(canvas, "pointerleave", () => {
    if (stroke === null && from.value === null) place.value = null;
  });
  useEventListener(canvas, "wheel", onWheel, { passive: false });
  watch([canvas, () => toValue(size), mask.base, mask.steps], repaint, { flush: "post" });
  return { tool, brush, shown, place, rectangle, resize, onKey };
}

interface Shortcut {
  tool: Ref<MaskTool>;
  shown: Ref<boolean>;
  resize: (by: 1 | -1) => void;
  mask: UseMask;
}

const SHORTCUTS: Readonly<Record<string, (on: Shortcut) => () => void>> = {
  b: ({ tool }) => () => (tool.value = "brush"),
  e: ({ tool }) => () => (tool.value = "eraser"),
  r: ({ tool }) => () => (tool.value = "rectangle"),
  h: ({ shown }) => () => (shown.value = !shown.value),
  i: ({ mask }) => () => {
    mask.add({ kind: "invert" });
  },
  "[": ({ resize }) => () => {
    resize(-1);
  },
  "]": ({ resize }) => () => {
    resize(1);
  },
};

function inside({ x, y }: Point): Point {
  return { x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) };
}
