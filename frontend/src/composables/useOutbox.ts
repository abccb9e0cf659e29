import { defineStore } from "pinia";
import { shallowReactive } from "vue";

import { askAgain, askIn, startConversation, type Added } from "@/api/conversations";
import { ApiError } from "@/api/http";
import { dropUnsent, imagesOf, messagesOf, readOutbox, storeUnsent, type ShownMessage, type Unsent } from "@/composables/outbox";
import { useSession } from "@/composables/useSession";

/** What was asked and is not confirmed: on its way, or kept with the reason why it could not be sent. */
export const useOutbox = defineStore("outbox", () => {
  const session = useSession();
  const entries = shallowReactive(new Map<string, Unsent>());
  const failures = shallowReactive(new Map<string, ApiError>());
  const sending = new Set<string>();

  /** Take up what this browser still holds of the person who is signed in. */
  function read(): void {
    entries.clear();
    failures.clear();
    for (const unsent of session.user === null ? [] : readOutbox(session.user.id)) entries.set(unsent.key, unsent);
  }

  function add(unsent: Unsent): void {
    entries.set(unsent.key, unsent);
    if (session.user !== null) storeUnsent(session.user.id, unsent);
  }

  function drop({ key }: Unsent): void {
    entries.delete(key);
    failures.delete(key);
    if (session.user !== null) dropUnsent(session.user.id, key);
  }

  /** Send it; the caller drops it with taking up what it brought. Null when it could not be sent: then `failures` says why. */
  async function deliver(unsent: Unsent): Promise<Added | null> {
    if (sending.has(unsent.key)) return null;
    const sender = session.user?.id;
    sending.add(unsent.key);
    failures.delete(unsent.key);
    try {
      const added = await post(unsent);
      return session.user?.id === sender ? added : null;
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      if (entries.has(unsent.key)) failures.set(unsent.key, reason);
      return null;
    } finally {
      sending.delete(unsent.key);
    }
  }

  /** The messages that wait in a conversation. */
  function messagesIn(conversation: string): ShownMessage[] {
    const waiting = [...entries.values()].filter((each) => each.conversation === conversation);
    return waiting.flatMap((each) => messagesOf(each, failures.get(each.key)));
  }

  return { entries, failures, read, add, drop, deliver, messagesIn };
});

async function post(unsent: Unsent): Promise<Added> {
  const { key, conversation } = unsent;
  const models = unsent.kind === "again" ? undefined : unsent.models;
  const one = unsent.model === null ? {} : { model: unsent.model };
  const common = { key, ...(models === undefined ? one : { models }) };
  if (unsent.kind === "again") return askAgain(conversation, unsent.answer, { ...common, ...(unsent.beside === true ? { side_by_side: true } : {}) });
  const images = imagesOf(unsent);
  const said = { ...common, content: unsent.content, ...(images.length > 0 ? { images } : {}) };
  switch (unsent.kind) {
    case "start":
      return startConversation({ ...said, ...(unsent.assistant === undefined ? {} : { assistant: unsent.assistant }), ...unsent.settings });
    case "ask":
      return askIn(conversation, { ...said, parent: unsent.parent });
  }
}
