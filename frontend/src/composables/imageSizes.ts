/** The shapes a picture can have, in the pixels that a model is made for. */

import type { Model } from "@/api/types";

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Shape {
  readonly name: string;
  /** null: the model's own size. */
  readonly size: Size | null;
}

export const MODELS_OWN = "auto";

// The sizes SDXL was trained on; other models get the same shapes, scaled to their own number of pixels.
const SHAPES: readonly (Size & { name: string })[] = [
  { name: "1:1", width: 1024, height: 1024 },
  { name: "3:2", width: 1216, height: 832 },
  { name: "2:3", width: 832, height: 1216 },
  { name: "16:9", width: 1344, height: 768 },
  { name: "9:16", width: 768, height: 1344 },
];
const USUAL_SIDE = 1024;
const DEMO_SIDE = 256;
const SIDE_STEP = 8;

export interface ImageLimits {
  readonly side: number;
  readonly steps: number;
  readonly maxSteps: number;
  readonly guidance: number;
  readonly maxGuidance: number;
  readonly maxCount: number;
}

/** What the catalogue says of the model's defaults and limits; where it is silent, those of the sdxl engine. */
export function limitsOf(model: Model | null): ImageLimits {
  const option = (name: string, usual: number): number => {
    const value = model?.options[name];
    return typeof value === "number" ? value : usual;
  };
  const small = model !== null && (model.demo || model.random);
  return {
    side: option("default_width", small ? DEMO_SIDE : USUAL_SIDE),
    steps: option("default_steps", 30),
    maxSteps: option("max_steps", 150),
    guidance: option("default_guidance", 6),
    maxGuidance: option("max_guidance", 30),
    maxCount: option("max_count", 8),
  };
}

/** The name of a size that is none of the usual shapes, and its size again. */
export const nameOf = ({ width, height }: Size): string => `${width}×${height}`;

function sizeOfName(name: string): Size | null {
  const [, width, height] = /^(\d+)×(\d+)$/.exec(name) ?? [];
  return width === undefined || height === undefined ? null : { width: Number(width), height: Number(height) };
}

/** The shapes to choose from; with the name of another size, also that one. */
export function shapesFor(side: number, chosen = MODELS_OWN): Shape[] {
  const scale = side / USUAL_SIDE;
  const fit = (pixels: number): number => Math.max(1, Math.round((pixels * scale) / SIDE_STEP)) * SIDE_STEP;
  const shapes = SHAPES.map(({ name, width, height }) => ({ name, size: { width: fit(width), height: fit(height) } }));
  const own = sizeOfName(chosen);
  return [{ name: MODELS_OWN, size: null }, ...shapes, ...(own === null ? [] : [{ name: chosen, size: own }])];
}
