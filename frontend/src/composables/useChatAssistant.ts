import { computed, ref, watch, type ComputedRef } from "vue";
import { useRoute, useRouter } from "vue-router";

import type { Assistant, Conversation } from "@/api/types";
import { useAssistants } from "@/composables/useAssistants";

export interface UseChatAssistant {
  /** Who the conversation was begun with, or who the next one begins with. */
  assistant: ComputedRef<Assistant | null>;
  all: ComputedRef<readonly Assistant[]>;
  /** The model to answer: the conversation's, the one picked for this beginning, or the assistant's. */
  wanted: ComputedRef<string | undefined>;
  /** Begin a chat with this assistant. */
  begin: (id: string) => void;
  /** Another model than the assistant's, for this beginning. */
  pickModel: (id: string) => void;
}

/** The assistant of a chat: the address names it (`?assistant=`) until the first question is asked. */
export function useChatAssistant(conversation: () => Conversation | undefined): UseChatAssistant {
  const assistants = useAssistants();
  const route = useRoute();
  const router = useRouter();

  const chosen = computed(() => (typeof route.query["assistant"] === "string" ? route.query["assistant"] : null));
  const picked = ref<string>();
  const assistant = computed(() => {
    const begun = conversation();
    return assistants.get(begun === undefined ? chosen.value : begun.assistant);
  });
  const wanted = computed(() => {
    const begun = conversation();
    if (begun !== undefined) return begun.model;
    return picked.value ?? assistant.value?.model;
  });

  watch(chosen, () => {
    picked.value = undefined;
  });
  void assistants.need();

  return {
    assistant,
    all: computed(() => assistants.all),
    wanted,
    begin: (id) => void router.push({ name: "chat", query: { assistant: id } }),
    pickModel: (id) => {
      picked.value = id;
    },
  };
}
