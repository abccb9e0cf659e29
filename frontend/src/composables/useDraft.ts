import { useLocalStorage } from "@vueuse/core";
import { watch, type Ref } from "vue";

import { useConversations } from "@/composables/useConversations";

const keyOf = (conversation: string | undefined): string => `studio.draft.${conversation ?? "new"}`;

/** What is typed and not sent yet; this browser keeps it for each conversation. */
export function useDraft(conversation: Ref<string | undefined>): Ref<string> {
  const conversations = useConversations();
  watch(
    conversation,
    (now, before) => {
      if (before !== undefined && now !== undefined && conversations.moved.get(before) === now) moveDraft(before, now);
    },
    // Before the draft of the new id is read.
    { flush: "sync" },
  );
  return useLocalStorage(() => keyOf(conversation.value), "");
}

/** The conversation is kept under another id from now on. */
function moveDraft(from: string, to: string): void {
  const typed = localStorage.getItem(keyOf(from));
  localStorage.removeItem(keyOf(from));
  if (typed !== null && typed !== "") localStorage.setItem(keyOf(to), typed);
}
