import { computed, shallowRef, watch, type ComputedRef } from "vue";
import { useRoute, useRouter } from "vue-router";

import { ApiError } from "@/api/http";
import type { Message } from "@/api/types";
import { messagesOfJob } from "@/composables/answers";
import { useConversations } from "@/composables/useConversations";
import { useJob } from "@/composables/useJob";

export interface UseJobLink {
  /** The messages of a job that is in no conversation; null where there is none to show. */
  messages: ComputedRef<readonly Message[] | null>;
  error: ComputedRef<ApiError | null>;
  /** Go on with it as a conversation. */
  keep: () => Promise<void>;
}

/** From the job list (`?job=`): to the conversation that shows this job, or what the job itself tells. */
export function useJobLink(): UseJobLink {
  const route = useRoute();
  const router = useRouter();
  const conversations = useConversations();

  const wanted = computed(() => (typeof route.query["job"] === "string" ? route.query["job"] : null));
  const { view, error: jobError } = useJob(wanted);
  const loose = shallowRef<string | null>(null);
  const failure = shallowRef<ApiError | null>(null);

  const messages = computed(() => {
    const shown = view.value;
    return shown?.job.kind === "chat" && shown.id === loose.value ? messagesOfJob(shown.job, shown.snapshot) : null;
  });
  const error = computed(() => jobError.value ?? failure.value);

  async function go(act: () => Promise<string | null>): Promise<void> {
    failure.value = null;
    try {
      const id = await act();
      if (id !== null) await router.replace({ name: "chat", params: { id } });
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      failure.value = reason;
    }
  }

  async function find(job: string): Promise<string | null> {
    const id = await conversations.findByJob(job);
    loose.value = id === null ? job : null;
    return wanted.value === job ? id : null;
  }

  async function keep(): Promise<void> {
    const shown = messages.value;
    if (shown !== null) await go(() => conversations.keepJob(shown));
  }

  watch(
    wanted,
    (job) => {
      loose.value = null;
      if (job !== null) void go(() => find(job));
    },
    { immediate: true },
  );
  return { messages, error, keep };
}
