/** A mask as the steps that painted it: they can be undone, kept as text, and painted in any size. */

/** A place in the picture: 0 to 1 from its left and its top. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

export type MaskStep =
  /** `size` is the brush's diameter, as a share of the picture's longer side. */
  | { readonly kind: "stroke"; readonly erase: boolean; readonly size: number; readonly points: readonly Point[] }
  | { readonly kind: "rectangle"; readonly erase: boolean; readonly from: Point; readonly to: Point }
  | { readonly kind: "fill" }
  | { readonly kind: "clear" }
  | { readonly kind: "invert" };

export interface MaskHistory {
  readonly done: readonly MaskStep[];
  readonly undone: readonly MaskStep[];
}

export const NO_STEPS: MaskHistory = { done: [], undone: [] };

export function add({ done }: MaskHistory, step: MaskStep): MaskHistory {
  return { done: [...done, step], undone: [] };
}

export function undo({ done, undone }: MaskHistory): MaskHistory {
  const last = done.at(-1);
  return last === undefined ? { done, undone } : { done: done.slice(0, -1), undone: [...undone, last] };
}

export function redo({ done, undone }: MaskHistory): MaskHistory {
  const next = undone.at(-1);
  return next === undefined ? { done, undone } : { done: [...done, next], undone: undone.slice(0, -1) };
}

type Covered = "nothing" | "something" | "everything";

/** Whether the steps can have left anything to paint anew. What an eraser left over, only the pixels know. */
export function coversSomething(steps: readonly MaskStep[], begins: "nothing" | "something"): boolean {
  return steps.reduce(coveredAfter, begins) !== "nothing";
}

function coveredAfter(covered: Covered, step: MaskStep): Covered {
  if (covered === "something" && step.kind !== "fill" && step.kind !== "clear") return covered;
  switch (step.kind) {
    case "fill":
      return "everything";
    case "clear":
      return "nothing";
    case "invert":
      return covered === "nothing" ? "everything" : "nothing";
    case "stroke":
    case "rectangle":
      // Painting where all is chosen changes nothing, nor does erasing where nothing is.
      return step.erase === (covered === "nothing") ? covered : "something";
  }
}

const LEAST_DISTANCE = 0.0015;

/** The stroke's points with one more; one that hardly moved is left out. */
export function extended(points: readonly Point[], next: Point): readonly Point[] {
  const last = points.at(-1);
  if (last !== undefined && Math.hypot(next.x - last.x, next.y - last.y) < LEAST_DISTANCE) return points;
  return [...points, next];
}

export const LEAST_BRUSH = 0.01;
export const LARGEST_BRUSH = 0.5;
const BRUSH_FACTOR = 1.2;

/** The next larger (1) or smaller (-1) brush. */
export function resized(size: number, by: 1 | -1): number {
  return Math.min(LARGEST_BRUSH, Math.max(LEAST_BRUSH, size * BRUSH_FACTOR ** by));
}
