import { until } from "@vueuse/core";
import { defineStore } from "pinia";
import { computed, shallowReactive, watch } from "vue";

import * as api from "@/api/conversations";
import { newId } from "@/api/ids";
import type { AnswerSettings, Conversation, ConversationDetail, Message } from "@/api/types";
import { conversationRows } from "@/composables/conversationRows";
import { importStored } from "@/composables/importStored";
import { newestEndBelow, pathTo } from "@/composables/messageTree";
import { answerIdsOf, conversationOf, endOf, titleOf, type SentPicture, type ShownMessage, type Unsent } from "@/composables/outbox";
import { useAnswersAwaited } from "@/composables/useAnswersAwaited";
import { useConversationChanges } from "@/composables/useConversationChanges";
import { useJobs } from "@/composables/useJobs";
import { useNotices } from "@/composables/useNotices";
import { useOutbox } from "@/composables/useOutbox";
import { useSession } from "@/composables/useSession";
import { ifPossible } from "@/composables/useTrying";
import { useTurns } from "@/composables/useTurns";
import { whenBack } from "@/composables/whenBack";

/** How long what others do waits for what is on its way from here. */
const SENDING_MS = 5000;

/** Where and of whom something is asked. */
export interface Question {
  conversation?: string | undefined;
  model: string | null;
  /** Who a new conversation begins with. */
  assistant?: string;
  /** How it is answered from the beginning. */
  settings?: Partial<AnswerSettings>;
  /** Each of them answers, instead of `model`. */
  models?: readonly string[] | undefined;
  /** What goes with it. */
  pictures?: readonly SentPicture[];
}

/** What of a question may differ from one that is asked with words alone. */
type Besides = Pick<Question, "pictures"> & { models?: readonly string[] };

/** What was typed and stayed unsent. */
export interface TakenBack {
  readonly content: string;
  readonly pictures?: readonly SentPicture[];
  readonly settings?: Partial<AnswerSettings>;
}

/** A conversation as it is shown. */
export interface Thread {
  readonly conversation: Conversation;
  /** All branches. */
  readonly messages: readonly ShownMessage[];
  /** The branch that is shown. */
  readonly path: readonly ShownMessage[];
}

/**
 * The person's conversations: what the server holds, and over it what is on its way there.
 *
 * The text of an answer that runs is in its job; here it arrives when the job ends.
 */
export const useConversations = defineStore("conversations", () => {
  const jobs = useJobs();
  const session = useSession();
  const outbox = useOutbox();

  const known = conversationRows();
  const { rows, trees, gone, put, putMessages } = known;
  const turns = useTurns();
  const awaited = useAnswersAwaited(known, openAgain);
  const changes = useConversationChanges(known, turns);
  /** Where an unsent message is the end of what is shown. */
  const unsentEnds = shallowReactive(new Map<string, string>());
  /** Under which id the server keeps what began here under another. */
  const moved = shallowReactive(new Map<string, string>());
  const sought = new Set<string>();

  /** Those with an answer under way. */
  const running = computed(() => {
    const busy = [...trees].filter(([, messages]) => messages.some((each) => each.state === "running")).map(([id]) => id);
    const sending = [...outbox.entries.values()].filter(({ key }) => !outbox.failures.has(key)).map((each) => each.conversation);
    return new Set([...busy, ...sending]);
  });

  function get(id: string): Thread | undefined {
    const conversation = rows.get(id);
    if (conversation === undefined) return undefined;
    const messages: ShownMessage[] = [...(trees.get(id) ?? []), ...outbox.messagesIn(id)];
    return { conversation, messages, path: pathTo(messages, unsentEnds.get(id) ?? conversation.current) };
  }

  /** Whether it began here and the server does not know it yet. */
  function isUnsent(id: string): boolean {
    return outbox.entries.has(id);
  }

  /** Whether all of its messages are here. */
  function isOpen(id: string): boolean {
    return trees.has(id) || isUnsent(id);
  }

  // --- what the server says

  function putDetail({ messages, ...conversation }: ConversationDetail): void {
    put(conversation);
    putMessages(conversation.id, messages);
    for (const message of trees.get(conversation.id) ?? []) void awaited.takeUp(conversation.id, message);
  }

  /** Read it with all of its messages, also when it is known: another device may have gone on. Throws ApiError. */
  async function open(id: string): Promise<void> {
    if (!isUnsent(id)) putDetail(await api.getConversation(id));
  }

  /** The conversation that shows a job, or null when no conversation asked for it. Throws ApiError. */
  async function findByJob(job: string): Promise<string | null> {
    for (const [id, messages] of trees) if (shows(messages, job)) return id;
    const found = (await api.listConversations({ job })).results[0];
    if (found === undefined) return null;
    put(found);
    return found.id;
  }

  /** Make a conversation of a job that belongs to none; its id. Throws ApiError. */
  async function keepJob(messages: readonly Message[]): Promise<string> {
    const title = titleOf(messages.find((each) => each.role === "user")?.content ?? "");
    const detail = await api.importConversation({ title, messages, current: messages.at(-1)?.id ?? null });
    putDetail(detail);
    return detail.id;
  }

  // --- answers that run

  const shows = (messages: readonly Message[], job: string): boolean => messages.some((each) => each.job === job);

  /** An answer may run that is not known here: asked on another device, or before a reload. */
  async function seek(job: string): Promise<void> {
    if (sought.has(job)) return;
    sought.add(job);
    await ifPossible(async () => {
      const id = await findByJob(job);
      if (id === null) return;
      await sent(id);
      if (!shows(trees.get(id) ?? [], job)) await open(id);
    });
  }

  // --- asking

  /** Ask in a conversation (a new one without an id) and give its id back; the question shows at once. */
  function send(content: string, { conversation, model, models, pictures = [], ...begun }: Question): string {
    const besides = { ...(models === undefined ? {} : { models }), pictures };
    if (conversation !== undefined) return ask(conversation, get(conversation)?.path.at(-1)?.id ?? null, content, model, besides);
    const key = newId();
    const unsent: Unsent = { kind: "start", key, conversation: key, model, at: new Date().toISOString(), content, ...besides, ...begun };
    rows.set(key, conversationOf(unsent));
    submit(unsent);
    return key;
  }

  function ask(id: string, parent: string | null, content: string, model: string | null, besides: Besides = {}): string {
    submit({ kind: "ask", key: newId(), conversation: id, model, at: new Date().toISOString(), content, parent, ...besides });
    return id;
  }

  /** Ask this question in other words, of the same pictures: a branch beside it. */
  function edit(id: string, question: string, content: string, model: string | null): void {
    const before = trees.get(id)?.find((each) => each.id === question);
    if (before !== undefined) ask(id, before.parent, content, model, { pictures: before.images.map((image) => ({ id: image, name: "" })) });
  }

  /** Have a question answered once more: a branch beside this answer, shown alone or `beside` the others. */
  function again(id: string, answer: string, model: string | null, { beside = false } = {}): void {
    const question = trees.get(id)?.find((each) => each.id === answer)?.parent;
    if (question === undefined) return;
    submit({ kind: "again", key: newId(), conversation: id, model, at: new Date().toISOString(), answer, question, beside });
  }

  function submit(unsent: Unsent): void {
    outbox.add(unsent);
    unsentEnds.set(unsent.conversation, endOf(unsent));
    void deliver(unsent);
  }

  async function deliver(unsent: Unsent): Promise<void> {
    // A branch that was chosen just now must not be chosen again over the one that this makes.
    const busy = turns.idle(unsent.conversation);
    if (busy !== undefined) await busy;
    const submittedAt = performance.now();
    const added = await outbox.deliver(unsent);
    if (added === null) return;
    const { conversation, messages } = added;
    // All of this in one go: what was unsent and what the server made of it are never shown both, nor neither.
    outbox.drop(unsent);
    if (unsentEnds.get(unsent.conversation) === endOf(unsent)) unsentEnds.delete(unsent.conversation);
    if (unsent.kind === "start") {
      rows.delete(unsent.conversation);
      moved.set(unsent.conversation, conversation.id);
    }
    put(conversation);
    // Of a conversation that is not open here, these are not all messages.
    if (unsent.kind !== "start" && !trees.has(conversation.id)) return;
    putMessages(conversation.id, messages);
    for (const message of messages) awaited.takeUpNew(conversation.id, message, submittedAt);
  }

  function unsentOf(answer: string): Unsent | undefined {
    return [...outbox.entries.values()].find((each) => answerIdsOf(each).includes(answer));
  }

  /** Send again what stayed unsent; `answer` is the one that it waits for. */
  function retry(answer: string): void {
    const unsent = unsentOf(answer);
    if (unsent !== undefined) void deliver(unsent);
  }

  /** Give up what stayed unsent; what was typed comes back. */
  function takeBack(answer: string): TakenBack {
    const unsent = unsentOf(answer);
    if (unsent === undefined) return { content: "" };
    outbox.drop(unsent);
    unsentEnds.delete(unsent.conversation);
    if (unsent.kind === "start") rows.delete(unsent.conversation);
    return unsent.kind === "again" ? { content: "" } : unsent;
  }

  // --- keeping order

  /** Show the branch that goes through this message: its newest end. */
  function show(id: string, message: string): void {
    const thread = get(id);
    if (thread === undefined) return;
    const end = newestEndBelow(thread.messages, message);
    if (unsentOf(end) !== undefined) {
      unsentEnds.set(id, end);
      return;
    }
    unsentEnds.delete(id);
    void change(id, { current: end });
  }

  async function change(id: string, wanted: api.ConversationChange): Promise<void> {
    if (!isUnsent(id)) await changes.change(id, wanted);
  }

  /** Delete it, or take it back; what brings it back, or null when it could not be deleted. */
  async function remove(id: string): Promise<(() => Promise<void>) | null> {
    const [row, unsent] = [rows.get(id), outbox.entries.get(id)];
    if (row === undefined || unsent === undefined) return changes.remove(id);
    rows.delete(id);
    outbox.drop(unsent);
    return () => {
      rows.set(id, row);
      submit(unsent);
      return Promise.resolve();
    };
  }

  /** Another device has deleted it. What is open here stays until it is asked for. */
  function forget(id: string): void {
    if (!isOpen(id)) rows.delete(id);
  }

  // --- what other pages and devices of this person do

  /** It is so now; null when it was deleted. */
  async function changedElsewhere(id: string, row: Conversation | null): Promise<void> {
    if (row === null) {
      rows.delete(id);
      trees.delete(id);
      gone.add(id);
      return;
    }
    await sent(id);
    const before = rows.get(id);
    put(row);
    const tree = trees.get(id);
    // The list may have told of the question before, which brings no messages.
    const lacksEnd = tree !== undefined && row.current !== null && !tree.some((each) => each.id === row.current);
    if (before !== undefined && row.updated_at <= before.updated_at && !lacksEnd) return;
    // Somebody has asked. What is not open here is found by the job that answers.
    if (tree !== undefined) await openAgain(id);
    else await jobs.findRunning();
  }

  /** Until nothing of ours is on its way there: it is not shown twice, as unsent and as what the server made of it. */
  async function sent(id: string): Promise<void> {
    const isSending = ({ key, kind, conversation }: Unsent): boolean => !outbox.failures.has(key) && (conversation === id || (kind === "start" && !rows.has(id)));
    await until(() => [...outbox.entries.values()].some(isSending)).toBe(false, { timeout: SENDING_MS });
  }

  /** Offline, it is read when the connection is back. */
  async function openAgain(id: string): Promise<void> {
    await ifPossible(() => open(id));
  }

  useNotices("conversation", ({ id, data }) => void changedElsewhere(id, data));

  // --- coming and going

  function forgetAll(): void {
    for (const each of [known, awaited, unsentEnds, moved, sought]) each.clear();
    changes.error.value = null;
  }

  /** Send what only the connection held up, and find the ends of what ran. */
  function takeUp(): void {
    for (const unsent of outbox.entries.values()) if ((outbox.failures.get(unsent.key)?.code ?? "offline") === "offline") void deliver(unsent);
    for (const [id, messages] of trees) for (const message of messages) void awaited.takeUp(id, message);
  }

  watch(
    () => session.user?.id,
    (user) => {
      forgetAll();
      outbox.read();
      if (user === undefined) return;
      for (const unsent of outbox.entries.values()) {
        if (unsent.kind === "start") rows.set(unsent.key, conversationOf(unsent));
        unsentEnds.set(unsent.conversation, endOf(unsent));
      }
      takeUp();
      void importStored(user, putDetail);
    },
    { immediate: true },
  );
  whenBack(takeUp);
  watch(
    () => jobs.running,
    (views) => {
      for (const { id, job } of views) if (job.kind === "chat") void seek(id);
    },
    { immediate: true },
  );

  return { rows, running, moved, gone, error: changes.error, get, isUnsent, isOpen, open, put, forget, findByJob, keepJob, send, edit, again, retry, takeBack, show, change, configure: changes.configure, rate: changes.rate, remove };
});
