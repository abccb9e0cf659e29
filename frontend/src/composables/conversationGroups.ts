/** How a list of conversations is cut into groups. */

import type { Conversation } from "@/api/types";

export type GroupName = "pinned" | "today" | "yesterday" | "earlier";

export interface ConversationGroup {
  name: GroupName;
  conversations: Conversation[];
}

const NAMES: readonly GroupName[] = ["pinned", "today", "yesterday", "earlier"];

/** As the server lists them: pinned ones first, then by their last change. */
export function compareConversations(a: Conversation, b: Conversation): number {
  return Number(b.pinned) - Number(a.pinned) || Date.parse(b.updated_at) - Date.parse(a.updated_at);
}

export function groupConversations(conversations: Iterable<Conversation>, now: Date): ConversationGroup[] {
  const groups = new Map<GroupName, Conversation[]>(NAMES.map((name) => [name, []]));
  for (const each of [...conversations].sort(compareConversations)) groups.get(groupOf(each, now))?.push(each);
  return [...groups].filter(([, found]) => found.length > 0).map(([name, found]) => ({ name, conversations: found }));
}

function groupOf({ pinned, updated_at: updatedAt }: Conversation, now: Date): GroupName {
  if (pinned) return "pinned";
  const changed = Date.parse(updatedAt);
  if (changed >= midnight(now, 0)) return "today";
  return changed >= midnight(now, 1) ? "yesterday" : "earlier";
}

/** The beginning of the day so many days ago. */
function midnight(now: Date, daysAgo: number): number {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() - daysAgo).getTime();
}
