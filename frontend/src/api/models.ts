import { ask } from "@/api/http";
import type { Medium, Model } from "@/api/types";

export async function listModels(medium: Medium): Promise<Model[]> {
  return (await ask<{ results: Model[] }>("/api/v1/models", { query: { medium } })).results;
}
