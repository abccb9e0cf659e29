import { ApiError, ask } from "@/api/http";
import type { Medium, Model, Voice } from "@/api/types";

export async function listModels(medium: Medium): Promise<Model[]> {
  return (await ask<{ results: Model[] }>("/api/v1/models", { query: { medium } })).results;
}

/** The voices of a model, or null while no worker has loaded it and so nobody knows them. */
export async function listVoices(model: string | undefined): Promise<Voice[] | null> {
  try {
    return (await ask<{ results: Voice[] }>("/api/v1/voices", { query: { model } })).results;
  } catch (reason) {
    if (reason instanceof ApiError && (reason.status === 503 || reason.status === 404)) return null;
    throw reason;
  }
}
