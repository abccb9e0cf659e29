import { useSessionStorage } from "@vueuse/core";
import { computed, shallowRef, type ComputedRef, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { readUpload, upload } from "@/api/uploads";
import type { Size } from "@/composables/imageSizes";
import { decodeMask, encodeMask, maskSize } from "@/composables/maskPainting";
import { NO_STEPS, add, coversSomething, redo, undo, type MaskHistory, type MaskStep } from "@/composables/maskSteps";

interface KeptMask extends MaskHistory {
  /** The upload that the steps are painted on. */
  readonly base: string | null;
}

const NO_MASK: KeptMask = { ...NO_STEPS, base: null };

export interface UseMask {
  /** What the steps are painted on: the mask of an earlier job. */
  base: ShallowRef<HTMLCanvasElement | null>;
  steps: ComputedRef<readonly MaskStep[]>;
  /** Nothing is chosen yet. */
  blank: ComputedRef<boolean>;
  canUndo: ComputedRef<boolean>;
  canRedo: ComputedRef<boolean>;
  add: (step: MaskStep) => void;
  undo: () => void;
  redo: () => void;
  /** Another picture has no mask yet. */
  reset: () => void;
  /** Go on with a mask that was uploaded before. Throws ApiError when it is gone. */
  takeUpload: (id: string) => Promise<void>;
  /** The server no longer has what was uploaded: the next time it is uploaded anew. */
  giveAgain: () => void;
  /** Its upload for a picture of this size, made when need be; null where nothing is chosen. Throws ApiError. */
  uploadFor: (picture: Size) => Promise<string | null>;
}

/** What of the start image is painted anew. The tab keeps it through a reload and whatever else is changed. */
export function useMask(): UseMask {
  const kept = useSessionStorage<KeptMask>("studio.image.mask", NO_MASK, { shallow: true });
  const base = shallowRef<HTMLCanvasElement | null>(null);
  let uploaded: { from: KeptMask; id: string } | null = null;

  const steps = computed(() => kept.value.done);
  const blank = computed(() => !coversSomething(steps.value, kept.value.base === null ? "nothing" : "something"));

  function change(by: (history: MaskHistory) => MaskHistory): void {
    kept.value = { ...by(kept.value), base: kept.value.base };
  }

  function reset(): void {
    kept.value = NO_MASK;
    base.value = null;
  }

  async function takeUpload(id: string): Promise<void> {
    const { done, undone } = kept.value.base === id ? kept.value : NO_MASK;
    base.value = await decodeMask(await readUpload(id));
    kept.value = { base: id, done, undone };
    if (done.length === 0) uploaded = { from: kept.value, id };
  }

  /** After a reload the steps are here and what they were painted on is not. */
  async function restore(id: string): Promise<void> {
    try {
      await takeUpload(id);
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      // Offline it is asked for again when it is needed.
      if (reason.status === 404) reset();
    }
  }

  async function uploadFor(picture: Size): Promise<string | null> {
    const now = kept.value;
    if (uploaded?.from === now) return uploaded.id;
    if (now.base !== null && base.value === null) await takeUpload(now.base);
    const from = kept.value;
    const file = await encodeMask(maskSize(picture), base.value, from.done);
    if (file === null) return null;
    const { id } = await upload(new File([file], "mask.png", { type: "image/png" }));
    uploaded = { from, id };
    return id;
  }

  if (kept.value.base !== null) void restore(kept.value.base);
  return {
    base,
    steps,
    blank,
    canUndo: computed(() => kept.value.done.length > 0),
    canRedo: computed(() => kept.value.undone.length > 0),
    add: (step) => {
      change((history) => add(history, step));
    },
    undo: () => {
      change(undo);
    },
    redo: () => {
      change(redo);
    },
    reset,
    giveAgain: () => {
      uploaded = null;
    },
    takeUpload,
    uploadFor,
  };
}
