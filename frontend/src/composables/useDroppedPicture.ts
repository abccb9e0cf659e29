import { useEventListener, useObjectUrl } from "@vueuse/core";
import { computed, ref, shallowRef, type ComputedRef, type Ref } from "vue";

import { parametersOf, type PictureParameters } from "@/composables/pictureParameters";
import { readTexts } from "@/composables/pictureTexts";

export interface DroppedPicture {
  readonly file: File;
  readonly parameters: PictureParameters;
}

export interface PictureUses {
  /** Begin from this picture. */
  start: (file: File) => void;
  /** Take over how it was made. */
  parameters: (parameters: PictureParameters) => void;
}

export interface PictureReceiver extends PictureUses {
  /** A file was dropped that is no picture. */
  refuse: (name: string) => void;
}

export interface UseDroppedPicture {
  /** A picture that says how it was made: to begin from, or to take its parameters? */
  question: ComputedRef<(DroppedPicture & { url: string | undefined }) | null>;
  /** A picture is being dragged over the page. */
  dragging: Ref<boolean>;
  answer: (use: keyof PictureUses | null) => void;
}

/** What the server takes. */
export const PICTURE_TYPES = "image/png,image/jpeg,image/webp";

/** The picture among some files. */
export function pictureIn(files: Iterable<File> | null | undefined): File | null {
  return [...(files ?? [])].find((each) => each.type.startsWith("image/")) ?? null;
}

export async function readParameters(file: Blob): Promise<PictureParameters | null> {
  return parametersOf(await readTexts(new Uint8Array(await file.arrayBuffer())));
}

/** Pictures that are dropped or pasted anywhere on the page; only one with parameters needs a question. */
export function useDroppedPicture(uses: PictureReceiver): UseDroppedPicture {
  const dropped = shallowRef<DroppedPicture | null>(null);
  const url = useObjectUrl(() => dropped.value?.file);
  const dragging = ref(false);

  async function receive(files: FileList): Promise<void> {
    const file = pictureIn(files);
    if (file === null) {
      if (files[0] !== undefined) uses.refuse(files[0].name);
      return;
    }
    const parameters = await readParameters(file);
    if (parameters === null) uses.start(file);
    else dropped.value = { file, parameters };
  }

  function answer(use: keyof PictureUses | null): void {
    const picture = dropped.value;
    dropped.value = null;
    if (picture === null || use === null) return;
    if (use === "start") uses.start(picture.file);
    else uses.parameters(picture.parameters);
  }

  useEventListener(document, "dragover", (event) => {
    if (event.dataTransfer?.types.includes("Files") !== true) return;
    // Without this the browser would open the file instead.
    event.preventDefault();
    dragging.value = true;
  });
  useEventListener(document, "dragleave", (event) => {
    if (event.relatedTarget === null) dragging.value = false;
  });
  useEventListener(document, "drop", (event) => {
    dragging.value = false;
    const files = event.dataTransfer?.files;
    if (files === undefined || files.length === 0) return;
    event.preventDefault();
    void receive(files);
  });
  useEventListener(document, "paste", ({ clipboardData, target }) => {
    // A copied table is a text and a picture of it: in a text field the text is meant.
    const textMeant = clipboardData?.types.includes("text/plain") === true && target instanceof Element && target.matches("input, textarea");
    if (!textMeant && pictureIn(clipboardData?.files) !== null && clipboardData !== null) void receive(clipboardData.files);
  });

  const question = computed(() => (dropped.value === null ? null : { ...dropped.value, url: url.value }));
  return { question, dragging, answer };
}
