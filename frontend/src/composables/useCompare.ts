import { useSessionStorage } from "@vueuse/core";
import { computed, type ComputedRef } from "vue";

import type { Model } from "@/api/types";
import { newestEndBelow } from "@/composables/messageTree";
import type { ShownMessage } from "@/composables/outbox";
import { useConversations, type Thread } from "@/composables/useConversations";

/** A question whose answers stand side by side until one of them is kept. */
export interface Comparison {
  readonly question: ShownMessage;
  readonly answers: readonly ShownMessage[];
}

export interface UseCompare {
  /** Who the next question goes to; fewer than two means that nothing is compared. */
  compared: ComputedRef<readonly Model[]>;
  /** Ask these from now on; none for one model again. */
  choose: (models: readonly string[]) => void;
  comparison: ComputedRef<Comparison | null>;
  /** Go on from this answer; the others stay as branches. */
  keep: (answer: ShownMessage) => void;
  /** The question at the end whose answers can be shown side by side, else null. */
  comparable: ComputedRef<string | null>;
  /** Show the answers to this question side by side. */
  open: (question: string) => void;
}

/** Asking several models at once, and deciding between their answers. Undecided, the conversation's end is the question. */
export function useCompare(models: () => readonly Model[], thread: () => Thread | undefined): UseCompare {
  const conversations = useConversations();
  // Of this window, and still there after a reload.
  const chosen = useSessionStorage<string[]>("studio.compare", []);

  const compared = computed(() => {
    const found = chosen.value.map((id) => models().find((each) => each.id === id && each.enabled)).filter((each) => each !== undefined);
    return found.length > 1 ? found : [];
  });
  const comparison = computed(() => {
    const question = thread()?.path.at(-1);
    if (question?.role !== "user") return null;
    const answers = answersTo(question.id);
    return answers.length === 0 ? null : { question, answers };
  });
  const comparable = computed(() => {
    const last = thread()?.path.at(-1);
    if (last?.role !== "assistant" || last.parent === null || last.state === "sending" || last.state === "unsent") return null;
    return answersTo(last.parent).length > 1 ? last.parent : null;
  });

  function answersTo(question: string): ShownMessage[] {
    return (thread()?.messages ?? []).filter((each) => each.parent === question && each.role === "assistant");
  }

  function keep(answer: ShownMessage): void {
    const shown = thread();
    if (shown === undefined) return;
    const end = newestEndBelow(shown.messages, answer.id);
    void conversations.change(shown.conversation.id, { current: end, ...(answer.model === "" ? {} : { model: answer.model }) });
  }

  function open(question: string): void {
    const shown = thread();
    if (shown !== undefined) void conversations.change(shown.conversation.id, { current: question });
  }

  return {
    compared,
    choose: (ids) => {
      chosen.value = [...ids];
    },
    comparison,
    keep,
    comparable,
    open,
  };
}
