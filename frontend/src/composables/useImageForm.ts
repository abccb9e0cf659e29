import { useLocalStorage } from "@vueuse/core";
import { computed, toValue, type ComputedRef, type MaybeRefOrGetter, type Ref } from "vue";

import type { ImageInput, Model } from "@/api/types";
import { MODELS_OWN, limitsOf, shapesFor, type ImageLimits, type Shape } from "@/composables/imageSizes";

export interface ImageForm {
  prompt: string;
  negative: string;
  /** Name of a shape. */
  shape: string;
  /** null leaves the number to the model. */
  steps: number | null;
  guidance: number | null;
  seed: number | null;
  seedLocked: boolean;
  count: number;
  scheduler: string;
  strength: number;
}

export const SCHEDULERS = [
  "ddim",
  "deis",
  "dpmpp_2m",
  "dpmpp_2m_karras",
  "dpmpp_2m_sde",
  "dpmpp_2m_sde_karras",
  "euler",
  "euler_a",
  "euler_karras",
  "heun",
  "lcm",
  "unipc",
] as const;

const SEEDS = 2 ** 32;

export interface UseImageForm {
  form: Ref<ImageForm>;
  limits: ComputedRef<ImageLimits>;
  shapes: ComputedRef<Shape[]>;
  shape: ComputedRef<Shape>;
  /** The input of a job; with the id of an uploaded start image, its shape decides. */
  input: (startImage: string | null) => ImageInput;
  /** Take the parameters of a job over. */
  recall: (input: ImageInput, seed?: number) => void;
}

/** What the person wants painted; this browser keeps it. */
export function useImageForm(model: MaybeRefOrGetter<Model | null>, firstPrompt: string): UseImageForm {
  const form = useLocalStorage<ImageForm>(
    "studio.image.form",
    {
      prompt: firstPrompt,
      negative: "",
      shape: MODELS_OWN,
      steps: null,
      guidance: null,
      seed: null,
      seedLocked: false,
      count: 1,
      scheduler: "",
      strength: 0.6,
    },
    { mergeDefaults: true },
  );
  const limits = computed(() => limitsOf(toValue(model)));
  const shapes = computed(() => shapesFor(limits.value.side));
  const shape = computed(
    () => shapes.value.find((each) => each.name === form.value.shape) ?? { name: MODELS_OWN, size: null },
  );

  function input(startImage: string | null): ImageInput {
    const { prompt, negative, steps, guidance, count, scheduler, strength } = form.value;
    if (!form.value.seedLocked || form.value.seed === null) form.value.seed = Math.floor(Math.random() * SEEDS);
    return {
      prompt: prompt.trim(),
      ...(negative.trim() === "" ? {} : { negative_prompt: negative.trim() }),
      ...(startImage === null ? shape.value.size : { image: startImage, strength }),
      ...(steps === null ? {} : { steps: Math.min(steps, limits.value.maxSteps) }),
      ...(guidance === null ? {} : { guidance: Math.min(guidance, limits.value.maxGuidance) }),
      seed: form.value.seed,
      count: Math.min(count, limits.value.maxCount),
      ...(scheduler === "" ? {} : { scheduler }),
    };
  }

  function recall(from: ImageInput, seed?: number): void {
    const same = shapes.value.find(({ size }) => size?.width === from.width && size?.height === from.height);
    form.value = {
      ...form.value,
      prompt: from.prompt,
      negative: from.negative_prompt ?? "",
      shape: same?.name ?? form.value.shape,
      steps: from.steps ?? null,
      guidance: from.guidance ?? null,
      seed: seed ?? from.seed ?? null,
      seedLocked: (seed ?? from.seed) !== undefined,
      scheduler: from.scheduler ?? "",
      strength: from.strength ?? form.value.strength,
    };
  }

  return { form, limits, shapes, shape, input, recall };
}
