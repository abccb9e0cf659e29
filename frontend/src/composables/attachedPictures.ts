/** Pictures in a question: what may be one, and what the draft keeps of it. */

import type { Model } from "@/api/types";
import { readsPictures } from "@/composables/modelFacts";
import type { SentPicture } from "@/composables/outbox";
import { PICTURE_TYPES } from "@/composables/useDroppedPicture";

/** The server's limits. */
export const PICTURES_MAX = 8;
export const PICTURE_MAX_MB = 20;
const MB = 1024 * 1024;

export interface DraftPicture {
  /** Its own from the moment it was attached, before the server has it. */
  readonly key: string;
  readonly name: string;
  /** Its upload's; null until the server has it. */
  readonly id: string | null;
}

/** Whether the server takes it as a picture; an SVG is text. */
export function isPictureFile(file: File): boolean {
  return PICTURE_TYPES.split(",").includes(file.type);
}

export function isTooLarge(file: File): boolean {
  return file.size > PICTURE_MAX_MB * MB;
}

/** A picture of the server as one of a draft. */
export function drafted({ id, name }: SentPicture): DraftPicture {
  return { key: id, name, id };
}

/** Those of the asked models that cannot be shown a picture. */
export function blindAmong(asked: readonly Model[]): readonly Model[] {
  return asked.filter((each) => !readsPictures(each));
}
