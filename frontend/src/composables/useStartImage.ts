import { useObjectUrl } from "@vueuse/core";
import { shallowRef, type Ref, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { upload } from "@/api/uploads";

export type StartImage =
  | { state: "none" }
  | { state: "uploading"; name: string }
  | { state: "ready"; name: string; id: string };

export interface UseStartImage {
  image: ShallowRef<StartImage>;
  /** An object URL of the picture while there is one. */
  url: Readonly<Ref<string | undefined>>;
  error: ShallowRef<ApiError | null>;
  take: (files: FileList | null | undefined) => Promise<void>;
  remove: () => void;
}

/** The picture that an image job begins from. */
export function useStartImage(): UseStartImage {
  const image = shallowRef<StartImage>({ state: "none" });
  const file = shallowRef<File | undefined>();
  const url = useObjectUrl(file);
  const error = shallowRef<ApiError | null>(null);

  async function take(files: FileList | null | undefined): Promise<void> {
    const picture = [...(files ?? [])].find((each) => each.type.startsWith("image/"));
    if (picture === undefined) return;
    error.value = null;
    file.value = picture;
    image.value = { state: "uploading", name: picture.name };
    try {
      const { id } = await upload(picture);
      // Another picture may have been taken meanwhile.
      if (file.value === picture) image.value = { state: "ready", name: picture.name, id };
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      if (file.value === picture) remove();
      error.value = reason;
    }
  }

  function remove(): void {
    file.value = undefined;
    image.value = { state: "none" };
  }

  return { image, url, error, take, remove };
}
