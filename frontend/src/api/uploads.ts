import { ApiError, ask, askFile } from "@/api/http";
import type { Upload } from "@/api/types";

const PATH = "/api/v1/uploads";

export async function upload(file: File): Promise<Upload> {
  const form = new FormData();
  form.append("file", file);
  return ask<Upload>(PATH, { method: "POST", form });
}

/** Where one's own upload can be looked at. */
export function uploadUrl(id: string): string {
  return `${PATH}/${encodeURIComponent(id)}/file`;
}

export async function readUpload(id: string): Promise<Blob> {
  return askFile(uploadUrl(id));
}

/** Whether the server has it no longer; of a server that does not answer, nothing is known. */
export async function isUploadGone(id: string): Promise<boolean> {
  try {
    await readUpload(id);
    return false;
  } catch (reason) {
    if (!(reason instanceof ApiError)) throw reason;
    return reason.status === 404;
  }
}
