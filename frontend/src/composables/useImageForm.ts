import { useLocalStorage } from "@vueuse/core";
import { computed, toValue, type ComputedRef, type MaybeRefOrGetter, type Ref } from "vue";

import type { ImageInput, Model } from "@/api/types";
import { MODELS_OWN, limitsOf, nameOf, shapesFor, type ImageLimits, type Shape } from "@/composables/imageSizes";
import { joinWords, wordsOf, type StyleWords } from "@/composables/imageStyles";

/** What a picture begins from: words alone, another picture, or the painted part of one. */
export type ImageMode = "text" | "image" | "inpaint";
export const MODES: readonly ImageMode[] = ["text", "image", "inpaint"];

export interface ImageForm {
  mode: ImageMode;
  prompt: string;
  negative: string;
  /** Ids of styles. */
  styles: string[];
  /** Name of a shape. */
  shape: string;
  /** null leaves the number to the model. */
  steps: number | null;
  guidance: number | null;
  seed: number | null;
  seedLocked: boolean;
  count: number;
  scheduler: string;
  /** How much of the start image may change; of its painted part it is another number. */
  strength: number;
  maskStrength: number;
}

export const MAX_COUNT = 8;
/** The images of a job take seeds one after the other, and the last one must be a seed, too. */
const SEEDS = 2 ** 32 - MAX_COUNT;

export const newSeed = (): number => Math.floor(Math.random() * SEEDS);

/** Ids of uploads. */
export interface StartsFrom {
  readonly image?: string;
  readonly mask?: string;
}

export interface UseImageForm {
  form: Ref<ImageForm>;
  limits: ComputedRef<ImageLimits>;
  shapes: ComputedRef<Shape[]>;
  shape: ComputedRef<Shape>;
  /** What the chosen styles add. */
  styleWords: ComputedRef<StyleWords[]>;
  /** The input of a job; where it starts from a picture, that picture's shape decides. */
  input: (from?: StartsFrom) => ImageInput;
  /** Take the parameters of a picture over. */
  recall: (input: ImageInput, seed?: number | null) => void;
}

/** What the person wants painted; this browser keeps it. */
export function useImageForm(model: MaybeRefOrGetter<Model | null>, firstPrompt: string): UseImageForm {
  const form = useLocalStorage<ImageForm>(
    "studio.image.form",
    {
      mode: "text",
      prompt: firstPrompt,
      negative: "",
      styles: [],
      shape: MODELS_OWN,
      steps: null,
      guidance: null,
      seed: null,
      seedLocked: false,
      count: 1,
      scheduler: "",
      strength: 0.6,
      maskStrength: 1,
    },
    { mergeDefaults: true },
  );
  const limits = computed(() => limitsOf(toValue(model)));
  const shapes = computed(() => shapesFor(limits.value.side, form.value.shape));
  const shape = computed(
    () => shapes.value.find((each) => each.name === form.value.shape) ?? { name: MODELS_OWN, size: null },
  );
  const styleWords = computed(() => wordsOf(form.value.styles, form.value.prompt, toValue(model)?.languages ?? []));

  function input(from: StartsFrom = {}): ImageInput {
    const { prompt, negative, steps, guidance, count, scheduler, strength, maskStrength } = form.value;
    if (!form.value.seedLocked || form.value.seed === null) form.value.seed = newSeed();
    const avoid = joinWords([negative, ...styleWords.value.map((each) => each.negative)]);
    return {
      prompt: joinWords([prompt, ...styleWords.value.map((each) => each.prompt)]),
      ...(avoid === "" ? {} : { negative_prompt: avoid }),
      ...(from.image === undefined ? shape.value.size : { ...from, strength: from.mask === undefined ? strength : maskStrength }),
      ...(steps === null ? {} : { steps: Math.min(steps, limits.value.maxSteps) }),
      ...(guidance === null ? {} : { guidance: Math.min(guidance, limits.value.maxGuidance) }),
      seed: form.value.seed,
      count: Math.min(count, limits.value.maxCount),
      ...(scheduler === "" ? {} : { scheduler }),
    };
  }

  function recall(from: ImageInput, seed: number | null = from.seed ?? null): void {
    const mode = from.image === undefined ? "text" : from.mask === undefined ? "image" : "inpaint";
    form.value = {
      ...form.value,
      mode,
      prompt: from.prompt,
      negative: from.negative_prompt ?? "",
      // Their words are in the prompt already.
      styles: [],
      shape: shapeOf(from),
      steps: from.steps ?? null,
      guidance: from.guidance ?? null,
      seed,
      seedLocked: seed !== null,
      scheduler: from.scheduler ?? "",
      ...(from.strength === undefined ? {} : { [mode === "inpaint" ? "maskStrength" : "strength"]: from.strength }),
    };
  }

  function shapeOf({ width, height }: ImageInput): string {
    if (width === undefined || height === undefined) return MODELS_OWN;
    const same = shapes.value.find(({ size }) => size?.width === width && size.height === height);
    return same?.name ?? nameOf({ width, height });
  }

  return { form, limits, shapes, shape, styleWords, input, recall };
}
