import { computed, ref, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from "vue";

import { ApiError, askFile } from "@/api/http";
import { getPicture } from "@/api/pictures";
import type { ImageInput } from "@/api/types";
import { upload } from "@/api/uploads";
import { similarTo, withNewSeeds } from "@/composables/imageVariations";
import { PROMPT_MAX, type PictureParameters } from "@/composables/pictureParameters";
import { readParameters } from "@/composables/useDroppedPicture";
import { useImageForm, type StartsFrom, type UseImageForm } from "@/composables/useImageForm";
import type { ImageResult, Picture } from "@/composables/useImageResults";
import { useMask, type UseMask } from "@/composables/useMask";
import { useModels, type UseModels } from "@/composables/useModels";
import { useStartImage, type UseStartImage } from "@/composables/useStartImage";
import { useSubmit } from "@/composables/useSubmit";

/** Something to know that is no fault of the server. */
export type StudioNotice =
  | { readonly kind: "startGone" }
  | { readonly kind: "pictureGone" }
  | { readonly kind: "startNotInFile" }
  | { readonly kind: "unused"; readonly what: string }
  | { readonly kind: "noParameters"; readonly name: string }
  | { readonly kind: "notPicture"; readonly name: string }
  | { readonly kind: "maskErased" };

/** What is not there yet for a picture to be made. */
export type Missing = "model" | "prompt" | "start" | "startUploading" | "mask";

export type Variation = { readonly kind: "seeds" | "similar"; readonly count: number };

export interface ImageStudio {
  models: UseModels;
  form: UseImageForm;
  start: UseStartImage;
  mask: UseMask;
  missing: ComputedRef<Missing | null>;
  sending: ComputedRef<boolean>;
  error: ComputedRef<ApiError | null>;
  notice: ShallowRef<StudioNotice | null>;
  /** The mask lies open on the stage. */
  painting: ComputedRef<boolean>;
  paint: (open: boolean) => void;
  generate: () => Promise<void>;
  /** The same job once more. */
  again: (result: ImageResult) => Promise<void>;
  vary: (picture: Picture, variation: Variation) => Promise<void>;
  /** Take over how a result was made, with what it began from. */
  use: (result: ImageResult) => Promise<void>;
  useParameters: (parameters: PictureParameters) => void;
  /** Take over what a file says of how it was made. */
  readFile: (file: File) => Promise<void>;
  startFrom: (file: File) => Promise<void>;
  startFromResult: (picture: Picture) => Promise<void>;
  /** Of the gallery: begin from a picture, or take over how it was made. */
  startFromGallery: (id: string) => Promise<void>;
  useFromGallery: (id: string) => Promise<void>;
  /** Words from elsewhere, to be painted from nothing else. */
  fillPrompt: (text: string) => void;
}

export interface StudioWords {
  /** What the first visit begins with. */
  prompt: () => string;
  /** How a start image is called that has no file name. */
  startName: () => string;
}

/** Fields of a job that name uploads. */
const UPLOADS = ["input.image", "input.mask"];

/** What the image page does: the form, what it begins from, and every way to fill and send it. */
export function useImageStudio(words: StudioWords, sent: (job: string) => void): ImageStudio {
  const models = useModels("image");
  const form = useImageForm(models.model, words.prompt());
  const start = useStartImage();
  const mask = useMask();
  const submitting = useSubmit("image");
  const failure = shallowRef<ApiError | null>(null);
  const notice = shallowRef<StudioNotice | null>(null);
  const preparing = ref(false);

  const { painting, paint } = usePainting(form, start);
  const missing = computed(() => missingFor(form, start, mask, models));
  const sending = computed(() => preparing.value || submitting.state.value === "sending");
  const error = computed(() => failure.value ?? submitting.error.value);

  /** Do it one at a time; an error of the server is shown. */
  async function attempt(act: () => Promise<void>): Promise<void> {
    if (sending.value) return;
    preparing.value = true;
    failure.value = null;
    notice.value = null;
    try {
      await act();
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      failure.value = reason;
    } finally {
      preparing.value = false;
    }
  }

  async function send(input: ImageInput, model: string | null): Promise<void> {
    const view = await submitting.submit(input, model);
    if (view === null) return;
    paint(false);
    sent(view.id);
  }

  const usable = (id: string | null): string | null =>
    models.models.value.find((each) => each.id === id && each.enabled)?.id ?? models.model.value?.id ?? null;

  async function generate(): Promise<void> {
    if (missing.value !== null) return;
    await attempt(async () => {
      await sendForm();
      if (!UPLOADS.includes(submitting.error.value?.field ?? "") || submitting.error.value?.status !== 404) return;
      if (!(await start.giveAgain())) return;
      mask.giveAgain();
      await sendForm();
    });
  }

  async function sendForm(): Promise<void> {
    const from = await startsFrom();
    if (from === null) notice.value = { kind: "maskErased" };
    else await send(form.input(from), models.model.value?.id ?? null);
  }

  /** The uploads of the job; null where the mask turned out to be empty. */
  async function startsFrom(): Promise<StartsFrom | null> {
    const image = start.image.value;
    const { mode } = form.form.value;
    if (mode === "text" || image.state !== "ready") return {};
    if (mode === "image") return { image: image.id };
    const painted = await mask.uploadFor(image.size);
    return painted === null ? null : { image: image.id, mask: painted };
  }

  async function vary(picture: Picture, { kind, count }: Variation): Promise<void> {
    await attempt(async () => {
      const { input, model } = picture.job;
      if (kind === "seeds") return send(withNewSeeds(input, count), usable(model));
      const file = await askFile(picture.artifact.url);
      const { id } = await upload(new File([file], nameOfPicture(picture), { type: file.type }));
      return send(similarTo(picture, id, count), usable(model));
    });
  }

  async function recall(input: ImageInput, seed: number | null, model: string | null): Promise<void> {
    notice.value = null;
    form.recall(input, seed);
    const known = models.models.value.find((each) => each.id === model && each.enabled);
    if (known !== undefined) models.pick(known.id);
    if (input.image !== undefined) await recallStart(input.image, input.mask);
  }

  async function recallStart(image: string, masked: string | undefined): Promise<void> {
    mask.reset();
    if (await start.takeUpload(image, words.startName())) {
      if (masked === undefined) return;
      try {
        await mask.takeUpload(masked);
        return;
      } catch (reason) {
        if (!(reason instanceof ApiError)) throw reason;
        if (reason.status !== 404) failure.value = reason;
      }
    } else if (start.error.value?.status !== 404) return;
    start.error.value = null;
    notice.value = { kind: "startGone" };
  }

  function useParameters({ input, model, fromPicture, unused }: PictureParameters): void {
    void recall(input, input.seed ?? null, model);
    if (fromPicture !== null) {
      form.form.value.mode = fromPicture;
      notice.value = { kind: "startNotInFile" };
    } else if (unused.length > 0) notice.value = { kind: "unused", what: unused.join(" · ") };
  }

  async function readFile(file: File): Promise<void> {
    const parameters = await readParameters(file);
    if (parameters === null) notice.value = { kind: "noParameters", name: file.name };
    else useParameters(parameters);
  }

  /** Another picture to begin from has no mask yet. */
  async function begin(taken: Promise<boolean>): Promise<void> {
    notice.value = null;
    mask.reset();
    if (form.form.value.mode === "text") form.form.value.mode = "image";
    if (await taken) paint(true);
  }

  async function fromGallery(id: string, act: (found: Awaited<ReturnType<typeof getPicture>>) => Promise<void>): Promise<void> {
    failure.value = null;
    try {
      await act(await getPicture(id));
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      if (reason.status === 404) notice.value = { kind: "pictureGone" };
      else failure.value = reason;
    }
  }

  return {
    models,
    form,
    start,
    mask,
    missing,
    sending,
    error,
    notice,
    painting,
    paint,
    generate,
    again: ({ job }) => attempt(() => send(job.input, usable(job.model))),
    vary,
    use: ({ job, artifact }) => recall(job.input, artifact?.seed ?? job.input.seed ?? null, job.model),
    useParameters,
    readFile,
    startFrom: (file) => begin(start.take(file)),
    startFromResult: (picture) => begin(start.takeFrom(picture.artifact.url, nameOfPicture(picture))),
    startFromGallery: (id) => fromGallery(id, ({ file }) => begin(start.takeFrom(file, words.startName()))),
    useFromGallery: (id) => fromGallery(id, ({ input, seed, model }) => recall(input, seed, model)),
    fillPrompt: (text) => {
      Object.assign(form.form.value, { mode: "text", prompt: text.slice(0, PROMPT_MAX) });
    },
  };
}

/** Whether the stage shows the mask: as soon as there is something to paint on, until a result is wanted. */
function usePainting(form: UseImageForm, start: UseStartImage): { painting: ComputedRef<boolean>; paint: (open: boolean) => void } {
  const wanted: Ref<boolean> = ref(true);
  const painting = computed(() => wanted.value && form.form.value.mode === "inpaint" && start.image.value.state === "ready");
  watch(
    () => form.form.value.mode,
    () => {
      wanted.value = true;
    },
  );
  return {
    painting,
    paint: (open) => {
      wanted.value = open;
    },
  };
}

function missingFor(form: UseImageForm, start: UseStartImage, mask: UseMask, models: UseModels): Missing | null {
  const { mode, prompt } = form.form.value;
  if (models.model.value === null) return "model";
  if (prompt.trim() === "") return "prompt";
  if (mode === "text") return null;
  if (start.image.value.state === "none") return "start";
  if (start.image.value.state === "uploading") return "startUploading";
  return mode === "inpaint" && mask.blank.value ? "mask" : null;
}

const NAME_LENGTH = 40;

function nameOfPicture({ job }: Picture): string {
  const prompt = job.input.prompt.trim().replaceAll(/\s+/g, " ");
  return prompt.length > NAME_LENGTH ? `${prompt.slice(0, NAME_LENGTH)}…` : prompt;
}
