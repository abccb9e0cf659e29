import { shallowReactive } from "vue";

import type { ConversationChange } from "@/api/conversations";
import type { Conversation, Message } from "@/api/types";
import { mergeMessages } from "@/composables/answers";

/** What is known of the person's conversations, and what was changed here and is on its way to the server. */
export interface ConversationRows {
  readonly rows: Map<string, Conversation>;
  /** The messages of those that were opened. */
  readonly trees: Map<string, readonly Message[]>;
  /** What another page or device has deleted. */
  readonly gone: Set<string>;
  /** What of a row was changed here and is not confirmed. */
  readonly changing: Map<string, { readonly wanted: ConversationChange }>;
  put: (conversation: Conversation) => void;
  putMessages: (id: string, arrived: readonly Message[]) => void;
  setMessage: (id: string, message: string, change: Partial<Message>) => void;
  clear: () => void;
}

export function conversationRows(): ConversationRows {
  const rows = shallowReactive(new Map<string, Conversation>());
  const trees = shallowReactive(new Map<string, readonly Message[]>());
  const gone = shallowReactive(new Set<string>());
  const changing: ConversationRows["changing"] = new Map();

  return {
    rows,
    trees,
    gone,
    changing,
    put(conversation) {
      const known = rows.get(conversation.id);
      // An answer that was overtaken by a newer one.
      if (known !== undefined && conversation.updated_at < known.updated_at) return;
      rows.set(conversation.id, { ...conversation, ...changing.get(conversation.id)?.wanted });
      gone.delete(conversation.id);
    },
    putMessages(id, arrived) {
      trees.set(id, mergeMessages(trees.get(id) ?? [], arrived));
    },
    setMessage(id, message, change) {
      const messages = trees.get(id);
      if (messages !== undefined) trees.set(id, messages.map((each) => (each.id === message ? { ...each, ...change } : each)));
    },
    clear() {
      for (const map of [rows, trees, gone, changing]) map.clear();
    },
  };
}
