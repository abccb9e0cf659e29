/** Conversations that earlier versions kept in this browser move to the server, once. */

import { importConversation, type ConversationFile } from "@/api/conversations";
import { ApiError } from "@/api/http";
import type { ConversationDetail } from "@/api/types";

interface StoredConversation {
  title: string;
  messages: { id: string; role: "user" | "assistant"; content: string; model?: string | null; reasoning?: string }[];
}

const prefixOf = (user: string): string => `studio.conversations.${user}.`;

/** Bring them in one after the other; one that the server refuses stays where it is. */
export async function importStored(user: string, imported: (detail: ConversationDetail) => void): Promise<void> {
  for (const key of Object.keys(localStorage).filter((each) => each.startsWith(prefixOf(user)))) {
    const file = fileOf(localStorage.getItem(key) ?? "");
    if (file === null) continue;
    try {
      const detail = await importConversation(file);
      localStorage.removeItem(key);
      imported(detail);
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
    }
  }
}

/** What was a list becomes a tree of one branch. */
function fileOf(raw: string): ConversationFile | null {
  const stored = parse(raw);
  if (stored === null || stored.messages.length === 0) return null;
  const messages = stored.messages.map(({ id, role, content, model, reasoning }, index) => ({
    id,
    parent: stored.messages[index - 1]?.id ?? null,
    role,
    content,
    model: model ?? "",
    reasoning: reasoning ?? "",
  }));
  return { title: stored.title, messages, current: messages.at(-1)?.id ?? null };
}

function parse(raw: string): StoredConversation | null {
  try {
    const value = JSON.parse(raw) as StoredConversation;
    return Array.isArray(value.messages) ? value : null;
  } catch {
    // Cut off by a full storage: nothing can be read of it.
    return null;
  }
}
