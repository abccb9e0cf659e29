import { useEventListener } from "@vueuse/core";
import { defineStore } from "pinia";
import { computed, shallowRef, watch } from "vue";

import { ApiError } from "@/api/http";
import { newId } from "@/api/ids";
import type { ChatJob, Turn, Usage } from "@/api/types";
import { isEnded } from "@/composables/snapshot";
import { answerSpeed, reasoningS, type AnswerSpeed } from "@/composables/timing";
import { useJobs, type JobView } from "@/composables/useJobs";
import { useSession } from "@/composables/useSession";

export interface Question {
  readonly id: string;
  readonly role: "user";
  readonly content: string;
}

/** How an answer stands: `sending` has no job yet, `running` grows, the others are final. */
export type AnswerState = "sending" | "running" | "done" | "stopped" | "failed" | "blocked";

export interface Answer {
  /** Also the idempotency key of its job, so that a page loaded again in mid-submit gets the same job. */
  readonly id: string;
  readonly role: "assistant";
  readonly state: AnswerState;
  readonly job: string | null;
  readonly model: string | null;
  /** Final text and reasoning; while it runs they are in the job's snapshot. */
  readonly content: string;
  readonly reasoning: string;
  readonly error: string | null;
  /** It ended at the length limit. */
  readonly truncated: boolean;
  readonly usage: Usage;
  readonly speed: AnswerSpeed | null;
  readonly reasoningS: number | null;
}

export type Message = Question | Answer;

export interface Conversation {
  readonly id: string;
  readonly title: string;
  readonly updatedAt: number;
  readonly messages: readonly Message[];
}

const TITLE_LENGTH = 40;

/** The conversations of this browser. The studio issue moves them to the server; their face stays. */
export const useConversations = defineStore("conversations", () => {
  const jobs = useJobs();
  const session = useSession();
  const all = shallowRef<ReadonlyMap<string, Conversation>>(new Map());
  const list = computed(() => [...all.value.values()].sort((a, b) => b.updatedAt - a.updatedAt));
  const prefix = computed(() => `studio.conversations.${session.user?.id ?? "nobody"}.`);

  const submitting = new Set<string>();
  const followed = new Set<string>();

  function read(): void {
    const found = new Map<string, Conversation>();
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(prefix.value)) continue;
      const conversation = parse(localStorage.getItem(key) ?? "");
      if (conversation !== null) found.set(conversation.id, conversation);
    }
    all.value = found;
  }

  function save(conversation: Conversation): void {
    all.value = new Map(all.value).set(conversation.id, conversation);
    localStorage.setItem(prefix.value + conversation.id, JSON.stringify(conversation));
  }

  function get(id: string): Conversation | undefined {
    return all.value.get(id);
  }

  function remove(id: string): void {
    const rest = new Map(all.value);
    rest.delete(id);
    all.value = rest;
    localStorage.removeItem(prefix.value + id);
  }

  function setAnswer(conversationId: string, answerId: string, change: Partial<Answer>): void {
    const conversation = get(conversationId);
    if (conversation === undefined) return;
    const messages = conversation.messages.map((each) =>
      each.role === "assistant" && each.id === answerId ? { ...each, ...change } : each,
    );
    save({ ...conversation, messages, updatedAt: Date.now() });
  }

  /** Ask in a conversation (a new one without an id) and give its id back; the answer arrives in it. */
  function send(text: string, { conversation, model }: { conversation?: string | undefined; model: string | null }): string {
    const before = conversation === undefined ? undefined : get(conversation);
    const id = before?.id ?? newId();
    const question: Question = { id: newId(), role: "user", content: text };
    const answer = emptyAnswer(model);
    save({
      id,
      title: before?.title ?? titleOf(text),
      updatedAt: Date.now(),
      messages: [...(before?.messages ?? []), question, answer],
    });
    void submit(id, answer.id);
    return id;
  }

  /** Ask for the last answer again. */
  function again(conversationId: string, model: string | null): void {
    const conversation = get(conversationId);
    if (conversation?.messages.at(-1)?.role !== "assistant") return;
    const answer = emptyAnswer(model);
    save({ ...conversation, updatedAt: Date.now(), messages: [...conversation.messages.slice(0, -1), answer] });
    void submit(conversationId, answer.id);
  }

  async function submit(conversationId: string, answerId: string): Promise<void> {
    if (submitting.has(answerId)) return;
    submitting.add(answerId);
    try {
      await submitOnce(conversationId, answerId);
    } finally {
      submitting.delete(answerId);
    }
  }

  async function submitOnce(conversationId: string, answerId: string): Promise<void> {
    const messages = get(conversationId)?.messages ?? [];
    const index = messages.findIndex((each) => each.id === answerId);
    const answer = messages[index];
    if (answer?.role !== "assistant") return;
    try {
      const view = await jobs.submit({
        kind: "chat",
        key: answer.id,
        input: { messages: turnsOf(messages.slice(0, index)) },
        ...(answer.model === null ? {} : { model: answer.model }),
      });
      setAnswer(conversationId, answerId, { state: "running", job: view.id });
      follow(conversationId, answerId, view.id);
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      const error = reason.code === "offline" ? "offline" : reason.message;
      setAnswer(conversationId, answerId, { state: "failed", error });
    }
  }

  /** Keep the answer when its job ends. */
  function follow(conversationId: string, answerId: string, job: string): void {
    if (followed.has(answerId)) return;
    followed.add(answerId);
    const stop = watch(
      () => jobs.views.get(job),
      (view) => {
        if (view === undefined || !isEnded(view.snapshot.status)) return;
        setAnswer(conversationId, answerId, settled(view));
        followed.delete(answerId);
        queueMicrotask(() => {
          stop();
        });
      },
      { immediate: true },
    );
  }

  /** Take up what was unfinished when the page was last here. */
  async function resume(conversationId: string): Promise<void> {
    for (const message of get(conversationId)?.messages ?? []) {
      if (message.role !== "assistant") continue;
      if (message.state === "sending") await submit(conversationId, message.id);
      else if (message.state === "running" && message.job !== null) await resumeJob(conversationId, message.id, message.job);
    }
  }

  async function resumeJob(conversationId: string, answerId: string, job: string): Promise<void> {
    try {
      await jobs.open(job);
      follow(conversationId, answerId, job);
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      // Offline now: the answer stays unfinished and the next visit asks again.
      if (reason.status !== 404) return;
      setAnswer(conversationId, answerId, { state: "failed", error: reason.message });
    }
  }

  /** The conversation that shows this chat job; made from the job's own messages where this browser has none. */
  function forJob(job: ChatJob): string {
    const known = list.value.find((each) => each.messages.some((message) => message.role === "assistant" && message.job === job.id));
    if (known !== undefined) return known.id;
    const messages = job.input.messages.filter((turn) => turn.role !== "system").map(messageOf);
    const id = newId();
    const answer: Answer = { ...emptyAnswer(job.model), state: "running", job: job.id };
    const title = titleOf(messages.find((message) => message.role === "user")?.content ?? job.id);
    save({ id, title, updatedAt: Date.now(), messages: [...messages, answer] });
    return id;
  }

  watch(
    prefix,
    () => {
      read();
      if (session.user !== null) for (const conversation of list.value) void resume(conversation.id);
    },
    { immediate: true },
  );
  useEventListener(window, "storage", (event) => {
    if (event.key?.startsWith(prefix.value) === true) read();
  });

  return { list, get, send, again, remove, resume, forJob };
});

function emptyAnswer(model: string | null): Answer {
  return {
    id: newId(),
    role: "assistant",
    state: "sending",
    job: null,
    model,
    content: "",
    reasoning: "",
    error: null,
    truncated: false,
    usage: {},
    speed: null,
    reasoningS: null,
  };
}

function messageOf(turn: Turn): Message {
  if (turn.role === "assistant") return { ...emptyAnswer(null), state: "done", content: turn.content };
  return { id: newId(), role: "user", content: turn.content };
}

/** What the model gets to read: answers without a word are left out together with their question. */
export function turnsOf(messages: readonly Message[]): Turn[] {
  const turns: Turn[] = [];
  for (const [index, message] of messages.entries()) {
    const next = messages[index + 1];
    if (message.role === "user" && next?.role === "assistant" && next.content === "") continue;
    if (message.role === "assistant" && message.content === "") continue;
    turns.push({ role: message.role, content: message.content });
  }
  return turns;
}

function settled({ snapshot, timing }: JobView): Partial<Answer> {
  const states = { succeeded: "done", cancelled: "stopped", failed: "failed", blocked: "blocked" } as const;
  const { status } = snapshot;
  return {
    state: status === "queued" || status === "running" ? "running" : states[status],
    content: snapshot.text,
    reasoning: snapshot.reasoning,
    error: snapshot.error?.message ?? null,
    truncated: snapshot.finishReason === "length",
    usage: snapshot.usage,
    model: snapshot.model,
    speed: answerSpeed(timing, snapshot.usage.completion_tokens),
    reasoningS: reasoningS(timing),
  };
}

function titleOf(text: string): string {
  const line = text.trim().split("\n")[0] ?? "";
  return line.length > TITLE_LENGTH ? `${line.slice(0, TITLE_LENGTH)}…` : line;
}

function parse(raw: string): Conversation | null {
  try {
    const value = JSON.parse(raw) as Conversation;
    return Array.isArray(value.messages) ? value : null;
  } catch {
    // Cut off by a full storage: nothing can be shown of it.
    return null;
  }
}
