/** More pictures like one that is there. */

import type { ImageInput } from "@/api/types";
import type { Picture } from "@/composables/useImageResults";
import { newSeed } from "@/composables/useImageForm";

// Enough to differ, little enough to be the same picture.
const SIMILAR_STRENGTH = 0.35;
const USUAL_STEPS = 30;

/** The same words and numbers, other seeds. */
export function withNewSeeds(input: ImageInput, count: number): ImageInput {
  return { ...input, seed: newSeed(), count };
}

/** Painted over the picture itself (`upload`), with little change. */
export function similarTo({ job, artifact }: Picture, upload: string, count: number): ImageInput {
  const { prompt, negative_prompt, steps, guidance, scheduler } = job.input;
  return {
    prompt,
    ...(negative_prompt === undefined ? {} : { negative_prompt }),
    ...(steps === undefined ? {} : { steps }),
    ...(guidance === undefined ? {} : { guidance }),
    ...(scheduler === undefined ? {} : { scheduler }),
    ...(artifact.width === undefined || artifact.height === undefined ? {} : { width: artifact.width, height: artifact.height }),
    image: upload,
    // The engine runs this share of the steps, and one step at least.
    strength: Math.max(SIMILAR_STRENGTH, Math.ceil(100 / (steps ?? USUAL_STEPS)) / 100),
    seed: newSeed(),
    count,
  };
}
