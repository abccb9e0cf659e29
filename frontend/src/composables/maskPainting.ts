/** Masks as pixels. On screen they lie over the picture as ink; the server gets white on black. */

import type { Size } from "@/composables/imageSizes";
import type { MaskStep, Point } from "@/composables/maskSteps";

type Ink = string | CanvasPattern;

// The largest side that the engine paints by default; more pixels than that say nothing more.
const LARGEST_SIDE = 2048;
// A brush on a small picture would leave stairs.
const LEAST_SIDE = 512;
const HATCH_PX = 12;

/** The size of the mask for a picture: the same shape, in pixels that are enough and not too many. */
export function maskSize({ width, height }: Size): Size {
  const longest = Math.max(width, height);
  const scale = longest > LARGEST_SIDE ? LARGEST_SIDE / longest : Math.ceil(LEAST_SIDE / longest);
  const fit = (side: number): number => Math.max(1, Math.round(side * scale));
  return { width: fit(width), height: fit(height) };
}

export function canvasOf({ width, height }: Size): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  return canvas;
}

export function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("This browser gives no canvas to paint on.");
  return context;
}

/** The whole mask anew: what it began with, then each step. Nothing is transparent, the rest is `ink`. */
export function paintMask(canvas: HTMLCanvasElement, base: CanvasImageSource | null, steps: readonly MaskStep[], ink: Ink): void {
  const context = contextOf(canvas);
  context.globalCompositeOperation = "source-over";
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (base !== null) {
    context.drawImage(base, 0, 0, canvas.width, canvas.height);
    flood(context, ink, "source-in");
  }
  for (const step of steps) paintStep(context, step, ink);
}

export function paintStep(context: CanvasRenderingContext2D, step: MaskStep, ink: Ink): void {
  switch (step.kind) {
    case "stroke":
      paintStroke(context, step, ink);
      return;
    case "rectangle":
      paintRectangle(context, step, ink);
      return;
    case "fill":
      flood(context, ink, "source-over");
      return;
    case "clear":
      flood(context, ink, "destination-out");
      return;
    case "invert":
      // Ink where there is none, and none where there is.
      flood(context, ink, "source-out");
  }
}

function flood(context: CanvasRenderingContext2D, ink: Ink, operation: GlobalCompositeOperation): void {
  context.globalCompositeOperation = operation;
  context.fillStyle = ink;
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
}

function paintStroke(context: CanvasRenderingContext2D, stroke: MaskStep & { kind: "stroke" }, ink: Ink): void {
  const { width, height } = context.canvas;
  const [first, ...rest] = stroke.points.map(({ x, y }) => [x * width, y * height] as const);
  if (first === undefined) return;
  const brush = stroke.size * Math.max(width, height);
  context.globalCompositeOperation = stroke.erase ? "destination-out" : "source-over";
  Object.assign(context, { fillStyle: ink, strokeStyle: ink, lineWidth: brush, lineCap: "round", lineJoin: "round" });
  // A line of one point would not be seen.
  context.beginPath();
  context.arc(...first, brush / 2, 0, 2 * Math.PI);
  context.fill();
  context.beginPath();
  context.moveTo(...first);
  for (const place of rest) context.lineTo(...place);
  context.stroke();
}

function paintRectangle(context: CanvasRenderingContext2D, { erase, from, to }: MaskStep & { kind: "rectangle" }, ink: Ink): void {
  const { width, height } = context.canvas;
  context.globalCompositeOperation = erase ? "destination-out" : "source-over";
  context.fillStyle = ink;
  context.fillRect(from.x * width, from.y * height, (to.x - from.x) * width, (to.y - from.y) * height);
}

/** Stripes of two colours: seen on a picture of any colour. */
export function hatch(light: string, dark: string): Ink {
  const tile = canvasOf({ width: HATCH_PX, height: HATCH_PX });
  const context = contextOf(tile);
  context.fillStyle = light;
  context.fillRect(0, 0, HATCH_PX, HATCH_PX);
  context.strokeStyle = dark;
  context.lineWidth = HATCH_PX / 4;
  // The stripe and its two neighbours, so that the tile joins its copies.
  for (const shift of [-HATCH_PX, 0, HATCH_PX]) {
    context.beginPath();
    context.moveTo(shift, HATCH_PX);
    context.lineTo(shift + HATCH_PX, 0);
    context.stroke();
  }
  return context.createPattern(tile, "repeat") ?? light;
}

/** White on black as PNG; null where nothing is white. */
export async function encodeMask(size: Size, base: CanvasImageSource | null, steps: readonly MaskStep[]): Promise<Blob | null> {
  const canvas = canvasOf(size);
  paintMask(canvas, base, steps, "#fff");
  if (isBlank(canvas)) return null;
  const context = contextOf(canvas);
  flood(context, "#000", "destination-over");
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => {
      if (blob === null) reject(new Error("This browser could not write the mask as PNG."));
      else resolve(blob);
    }, "image/png");
  });
}

function isBlank(canvas: HTMLCanvasElement): boolean {
  const { data } = contextOf(canvas).getImageData(0, 0, canvas.width, canvas.height);
  for (let alpha = 3; alpha < data.length; alpha += 4) if (data[alpha] !== 0) return false;
  return true;
}

/** A stored mask (white on black) as what steps are painted on: its light parts opaque, its dark ones not there. */
export async function decodeMask(blob: Blob): Promise<HTMLCanvasElement> {
  const bitmap = await createImageBitmap(blob);
  const canvas = canvasOf(bitmap);
  const context = contextOf(canvas);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < pixels.data.length; at += 4) pixels.data[at + 3] = pixels.data[at] ?? 0;
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** The place in the picture under a pointer; dragging beyond an edge paints along it. */
export function placeIn(box: DOMRect, { clientX, clientY }: { clientX: number; clientY: number }): Point {
  return { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
}
