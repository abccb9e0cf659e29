import { useObjectUrl, useSessionStorage } from "@vueuse/core";
import { shallowRef, type Ref, type ShallowRef } from "vue";

import { ApiError, askFile } from "@/api/http";
import { readUpload, upload } from "@/api/uploads";
import type { Size } from "@/composables/imageSizes";

export type StartImage =
  | { state: "none" }
  | { state: "uploading"; name: string }
  | { state: "ready"; name: string; id: string; size: Size };

export interface UseStartImage {
  image: ShallowRef<StartImage>;
  /** An object URL of the picture while there is one. */
  url: Readonly<Ref<string | undefined>>;
  error: ShallowRef<ApiError | null>;
  /** Upload this picture; false when it could not be. */
  take: (picture: File) => Promise<boolean>;
  /** Begin from a picture of this server, which becomes an upload of its own. */
  takeFrom: (address: string, name: string) => Promise<boolean>;
  /** Upload it once more: the server keeps uploads no longer than their jobs. False when it could not be. */
  giveAgain: () => Promise<boolean>;
  /** Begin from an upload of before; false when it is gone. */
  takeUpload: (id: string, name: string) => Promise<boolean>;
  remove: () => void;
}

/** The picture that an image job begins from; a reload of the tab finds it again. */
export function useStartImage(): UseStartImage {
  const kept = useSessionStorage<{ id: string; name: string } | null>("studio.image.start", null, {
    shallow: true,
    serializer: { read: (raw) => JSON.parse(raw) as { id: string; name: string } | null, write: JSON.stringify },
  });
  const image = shallowRef<StartImage>({ state: "none" });
  const file = shallowRef<Blob | undefined>();
  const url = useObjectUrl(file);
  const error = shallowRef<ApiError | null>(null);
  // The last picture that was asked for: another one may come while it is on its way.
  let wanted = 0;

  async function begin(name: string, read: () => Promise<Blob>, idOf: (picture: Blob) => Promise<string>): Promise<boolean> {
    wanted += 1;
    const mine = wanted;
    error.value = null;
    file.value = undefined;
    image.value = { state: "uploading", name };
    try {
      const picture = await read();
      if (mine === wanted) file.value = picture;
      const [id, size] = await Promise.all([idOf(picture), sizeOf(picture)]);
      if (mine === wanted) settle({ state: "ready", name, id, size });
      return true;
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      if (mine === wanted) {
        remove();
        error.value = reason;
      }
      return false;
    }
  }

  function settle(ready: StartImage & { state: "ready" }): void {
    image.value = ready;
    kept.value = { id: ready.id, name: ready.name };
  }

  async function uploaded(picture: Blob, name: string): Promise<string> {
    return (await upload(new File([picture], name, { type: picture.type }))).id;
  }

  function remove(): void {
    wanted += 1;
    file.value = undefined;
    image.value = { state: "none" };
    kept.value = null;
  }

  const take = (picture: File): Promise<boolean> => begin(picture.name, () => Promise.resolve(picture), () => uploaded(picture, picture.name));
  const takeFrom = (address: string, name: string): Promise<boolean> => begin(name, () => askFile(address), (picture) => uploaded(picture, name));
  const takeUpload = (id: string, name: string): Promise<boolean> => begin(name, () => readUpload(id), () => Promise.resolve(id));

  function giveAgain(): Promise<boolean> {
    const [now, picture] = [image.value, file.value];
    if (now.state !== "ready" || picture === undefined) return Promise.resolve(false);
    return begin(now.name, () => Promise.resolve(picture), () => uploaded(picture, now.name));
  }

  async function restore({ id, name }: { id: string; name: string }): Promise<void> {
    // It may be another person's, who was signed in before: nobody asked for it now.
    if (!(await takeUpload(id, name)) && error.value?.status === 404) error.value = null;
  }

  if (kept.value !== null) void restore(kept.value);
  return { image, url, error, take, takeFrom, giveAgain, takeUpload, remove };
}

/** Upright, as the engine will see it. */
async function sizeOf(picture: Blob): Promise<Size> {
  try {
    const bitmap = await createImageBitmap(picture);
    const { width, height } = bitmap;
    bitmap.close();
    return { width, height };
  } catch (reason) {
    // What the browser cannot read, the server refuses too, with the better sentence.
    if (reason instanceof DOMException) return { width: 1, height: 1 };
    throw reason;
  }
}
