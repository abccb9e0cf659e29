import { ask } from "@/api/http";
import type { ImageInput } from "@/api/types";

/** What the gallery says of a picture, as far as the studio goes on with it. */
export interface MadePicture {
  id: string;
  input: ImageInput;
  seed: number | null;
  model: string | null;
  /** The address of the picture's own file. */
  file: string;
}

export async function getMadePicture(id: string): Promise<MadePicture> {
  return ask<MadePicture>(`/api/v1/pictures/${encodeURIComponent(id)}`);
}
