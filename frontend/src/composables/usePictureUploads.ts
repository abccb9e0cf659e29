import { defineStore } from "pinia";
import { shallowReactive, watch } from "vue";

import { ApiError } from "@/api/http";
import { isUploadGone, upload } from "@/api/uploads";
import { useSession } from "@/composables/useSession";

export type PictureUpload =
  | { readonly state: "uploading" }
  | { readonly state: "failed"; readonly error: ApiError }
  | { readonly state: "ready"; readonly id: string };

/** The uploads of pictures that go with a question: they go on whichever conversation or page is shown. */
export const usePictureUploads = defineStore("pictureUploads", () => {
  const session = useSession();
  /** By the keys of the pictures. */
  const uploads = shallowReactive(new Map<string, PictureUpload>());
  // Kept after the upload, too: the server may forget a picture that waits long in a draft.
  const files = new Map<string, File>();
  /** Ids of uploads that the server has no longer. */
  const gone = shallowReactive(new Set<string>());

  async function begin(key: string, file: File): Promise<void> {
    files.set(key, file);
    uploads.set(key, { state: "uploading" });
    const end = await sent(file);
    // Removed meanwhile, or somebody else has signed in: nobody waits for it.
    if (files.get(key) === file) uploads.set(key, end);
  }

  async function again(key: string): Promise<void> {
    const file = files.get(key);
    if (file !== undefined && uploads.get(key)?.state !== "uploading") await begin(key, file);
  }

  /** Whether it could be uploaded once more: after a reload its file is not here any longer. */
  function canAgain(key: string): boolean {
    return files.has(key);
  }

  function forget(key: string): void {
    files.delete(key);
    uploads.delete(key);
  }

  /** It could not be shown: because it is gone? */
  async function look(id: string): Promise<void> {
    if (await isUploadGone(id)) gone.add(id);
  }

  // Who signs in again after the session has ended finds everything as it was.
  let owner = session.user?.id;
  watch(
    () => session.user?.id,
    (user) => {
      if (user === undefined || user === owner) return;
      owner = user;
      for (const each of [uploads, files, gone]) each.clear();
    },
  );

  return { uploads, gone, begin, again, canAgain, forget, look };
});

async function sent(file: File): Promise<PictureUpload> {
  try {
    return { state: "ready", id: (await upload(file)).id };
  } catch (reason) {
    if (!(reason instanceof ApiError)) throw reason;
    return { state: "failed", error: reason };
  }
}
