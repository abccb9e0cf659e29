import { ask } from "@/api/http";
import type { Model } from "@/api/types";

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
