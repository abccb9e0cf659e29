import { ApiError, ask } from "@/api/http";
import { untilAnswered } from "@/api/retry";
import type { Assistant } from "@/api/types";

const PATH = "/api/v1/assistants";

export type AssistantFields = Omit<Assistant, "id">;

/** A line of a Modelfile that is not taken over, and why. */
export interface ModelfileNote {
  line: number;
  message: string;
}

/** What an import would take over of a Modelfile, and what not. */
export interface CheckedModelfile extends Pick<Assistant, "model" | "system" | "params" | "opening"> {
  notes: ModelfileNote[];
}

export async function listAssistants(): Promise<Assistant[]> {
  return (await ask<{ results: Assistant[] }>(PATH)).results;
}

export async function createAssistant(fields: AssistantFields): Promise<Assistant> {
  return ask<Assistant>(PATH, { method: "POST", json: fields });
}

export async function changeAssistant(id: string, fields: AssistantFields): Promise<Assistant> {
  return untilAnswered(() => ask<Assistant>(addressOf(id), { method: "PATCH", json: fields }));
}

/** Its conversations stay; for some minutes it can be restored. */
export async function deleteAssistant(id: string): Promise<void> {
  try {
    await untilAnswered(() => ask<null>(addressOf(id), { method: "DELETE" }));
  } catch (reason) {
    // Gone already: a first try whose answer was lost, or another device.
    if (!(reason instanceof ApiError) || reason.status !== 404) throw reason;
  }
}

export async function restoreAssistant(id: string): Promise<Assistant> {
  return untilAnswered(() => ask<Assistant>(`${addressOf(id)}/restore`, { method: "POST" }));
}

export async function checkModelfile(modelfile: string): Promise<CheckedModelfile> {
  return ask<CheckedModelfile>(`${PATH}/import/check`, { method: "POST", json: { modelfile } });
}

export async function importModelfile(name: string, modelfile: string): Promise<Assistant> {
  return (await ask<{ assistant: Assistant }>(`${PATH}/import`, { method: "POST", json: { name, modelfile } })).assistant;
}

function addressOf(id: string): string {
  return `${PATH}/${encodeURIComponent(id)}`;
}
