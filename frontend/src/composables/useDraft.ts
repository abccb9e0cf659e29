import { useLocalStorage } from "@vueuse/core";
import { watch, type Ref } from "vue";

import type { TextFile } from "@/composables/attachedFiles";
import type { DraftPicture } from "@/composables/attachedPictures";
import { useConversations } from "@/composables/useConversations";

const NEW = "new";
const WORDS = "studio.draft.";
const FILES = "studio.draft.files.";
const PICTURES = "studio.draft.pictures.";

export interface UseDraft {
  words: Ref<string>;
  /** The files that go with it. */
  files: Ref<TextFile[]>;
  pictures: Ref<DraftPicture[]>;
}

/** What is typed and not sent yet; this browser keeps it for each conversation. */
export function useDraft(conversation: Ref<string | undefined>): UseDraft {
  const conversations = useConversations();
  watch(
    conversation,
    (now, before) => {
      if (before === undefined || now === undefined || conversations.moved.get(before) !== now) return;
      for (const prefix of [WORDS, FILES, PICTURES]) moveDraft(prefix + before, prefix + now);
    },
    // Before the draft of the new id is read.
    { flush: "sync" },
  );
  return {
    words: useLocalStorage(() => WORDS + (conversation.value ?? NEW), ""),
    files: useLocalStorage<TextFile[]>(() => FILES + (conversation.value ?? NEW), [], { shallow: true }),
    pictures: useLocalStorage<DraftPicture[]>(() => PICTURES + (conversation.value ?? NEW), [], { shallow: true }),
  };
}

/** The conversation is kept under another id from now on. */
function moveDraft(from: string, to: string): void {
  const typed = localStorage.getItem(from);
  localStorage.removeItem(from);
  if (typed !== null && typed !== "" && typed !== "[]") localStorage.setItem(to, typed);
}
