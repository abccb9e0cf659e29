import { ask } from "@/api/http";
import type { Upload } from "@/api/types";

export async function upload(file: File): Promise<Upload> {
  const form = new FormData();
  form.append("file", file);
  return ask<Upload>("/api/v1/uploads", { method: "POST", form });
}
