import { ApiError, ask } from "@/api/http";
import type { Model, Voice } from "@/api/types";

/** All models, those that are not enabled too. */
export async function listModels(): Promise<Model[]> {
  return (await ask<{ results: Model[] }>("/api/v1/models")).results;
}

/** Offer the model to people, and have a worker fetch it. For staff. */
export async function enableModel(id: string): Promise<Model> {
  return ask<Model>(`/api/v1/models/${encodeURIComponent(id)}/enable`, { method: "POST" });
}

/** Offer it no longer. For staff. */
export async function disableModel(id: string): Promise<Model> {
  return ask<Model>(`/api/v1/models/${encodeURIComponent(id)}/disable`, { method: "POST" });
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
