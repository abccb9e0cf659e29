import { ApiError, ask } from "@/api/http";
import { untilAnswered } from "@/api/retry";
import type { Folder } from "@/api/types";

const PATH = "/api/v1/folders";

/** What `ConversationQuery.folder` says for those that are in no folder. */
export const NO_FOLDER = "none";

export async function listFolders(): Promise<Folder[]> {
  return (await ask<{ results: Folder[] }>(PATH)).results;
}

export async function createFolder(name: string): Promise<Folder> {
  return ask<Folder>(PATH, { method: "POST", json: { name } });
}

export async function renameFolder(id: string, name: string): Promise<Folder> {
  return untilAnswered(() => ask<Folder>(addressOf(id), { method: "PATCH", json: { name } }));
}

/** What is in it stays, in none; for some minutes it can be restored. */
export async function deleteFolder(id: string): Promise<void> {
  try {
    await untilAnswered(() => ask<null>(addressOf(id), { method: "DELETE" }));
  } catch (reason) {
    // Gone already: a first try whose answer was lost, or another device.
    if (!(reason instanceof ApiError) || reason.status !== 404) throw reason;
  }
}

export async function restoreFolder(id: string): Promise<Folder> {
  return untilAnswered(() => ask<Folder>(`${addressOf(id)}/restore`, { method: "POST" }));
}

function addressOf(id: string): string {
  return `${PATH}/${encodeURIComponent(id)}`;
}
