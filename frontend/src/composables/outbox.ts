/** What was asked and the server has not confirmed: kept in this browser until it has, so that nothing typed is lost. */

import type { ApiError } from "@/api/http";
import type { AnswerSettings, Conversation, Message, MessageState } from "@/api/types";

/** A picture that the server has. */
export interface SentPicture {
  /** Its upload's. */
  readonly id: string;
  /** Empty where nobody knows it. */
  readonly name: string;
}

interface Said {
  readonly content: string;
  readonly pictures?: readonly SentPicture[];
}

interface Wish {
  /** Its idempotency key. */
  readonly key: string;
  /** Where it was asked; for a conversation that is yet to begin, the key. */
  readonly conversation: string;
  readonly model: string | null;
  readonly at: string;
}

export type Unsent = Wish &
  (
    | (Said & { readonly kind: "start"; readonly assistant?: string; readonly models?: readonly string[]; readonly settings?: Partial<AnswerSettings> })
    | (Said & { readonly kind: "ask"; readonly parent: string | null; readonly models?: readonly string[] })
    | { readonly kind: "again"; readonly answer: string; readonly question: string | null; readonly beside?: boolean }
  );

/** A message as it is shown: the server's, or one that is `sending` or stayed `unsent`. */
export type ShownMessage = Omit<Message, "state"> & {
  readonly state: MessageState | "sending" | "unsent";
  /** Why it stayed unsent. */
  readonly failure?: ApiError;
};

const TITLE_LENGTH = 40;

const prefixOf = (user: string): string => `studio.outbox.${user}.`;

export function readOutbox(user: string): Unsent[] {
  const keys = Object.keys(localStorage).filter((key) => key.startsWith(prefixOf(user)));
  const found = keys.map((key) => parse(localStorage.getItem(key))).filter((each) => each !== null);
  return found.sort((a, b) => a.at.localeCompare(b.at));
}

export function storeUnsent(user: string, unsent: Unsent): void {
  try {
    localStorage.setItem(prefixOf(user) + unsent.key, JSON.stringify(unsent));
  } catch (reason) {
    // The storage is full: then it lives as long as the page.
    if (!(reason instanceof DOMException)) throw reason;
  }
}

export function dropUnsent(user: string, key: string): void {
  localStorage.removeItem(prefixOf(user) + key);
}

function parse(raw: string | null): Unsent | null {
  try {
    return JSON.parse(raw ?? "null") as Unsent | null;
  } catch {
    // Not ours: nothing can be sent of it.
    return null;
  }
}

/** The ids of the answers that an unsent wish waits for: one, or one of each model that is compared. */
export function answerIdsOf(unsent: Unsent): readonly string[] {
  return modelsOf(unsent).map((_, place) => (place === 0 ? `${unsent.key}-answer` : `${unsent.key}-answer-${place}`));
}

/** The end of the branch that an unsent wish shows: its answer, or the question whose answers stand side by side. */
export function endOf(unsent: Unsent): string {
  if (unsent.kind === "again" && unsent.beside === true && unsent.question !== null) return unsent.question;
  return modelsOf(unsent).length > 1 ? unsent.key : `${unsent.key}-answer`;
}

function modelsOf(unsent: Unsent): readonly (string | null)[] {
  return unsent.kind === "again" ? [unsent.model] : (unsent.models ?? [unsent.model]);
}

/** The messages that an unsent wish shows in its conversation. */
export function messagesOf(unsent: Unsent, failure: ApiError | undefined): ShownMessage[] {
  const models = modelsOf(unsent);
  const answers = answerIdsOf(unsent).map(
    (id, place): ShownMessage => ({
      ...blank(unsent.at),
      id,
      parent: unsent.kind === "again" ? unsent.question : unsent.key,
      role: "assistant",
      model: models[place] ?? "",
      ...(failure === undefined ? { state: "sending" } : { state: "unsent", failure }),
    }),
  );
  if (unsent.kind === "again") return answers;
  const parent = unsent.kind === "ask" ? unsent.parent : null;
  return [{ ...blank(unsent.at), id: unsent.key, parent, role: "user", content: unsent.content, images: imagesOf(unsent) }, ...answers];
}

/** The ids of the uploads that go with it. */
export function imagesOf({ pictures = [] }: Said): string[] {
  return pictures.map(({ id }) => id);
}

/** A conversation that the server does not know yet. */
export function conversationOf(unsent: Unsent & { kind: "start" }): Conversation {
  return {
    id: unsent.conversation,
    title: titleOf(unsent.content),
    titled: false,
    model: unsent.model ?? "",
    system: unsent.settings?.system ?? "",
    params: unsent.settings?.params ?? {},
    pinned: false,
    archived: false,
    assistant: unsent.assistant ?? null,
    folder: null,
    current: endOf(unsent),
    created_at: unsent.at,
    updated_at: unsent.at,
  };
}

/** A message of which nothing is known but when. */
export function blank(at: string): Message {
  return {
    id: "",
    parent: null,
    role: "user",
    content: "",
    images: [],
    created_at: at,
    state: "done",
    job: null,
    model: "",
    reasoning: "",
    error: null,
    finish_reason: "",
    usage: {},
    confidence: null,
    rating: 0,
    rating_reason: "",
  };
}

export function titleOf(text: string): string {
  const line = text.trim().split("\n")[0] ?? "";
  return line.length > TITLE_LENGTH ? `${line.slice(0, TITLE_LENGTH)}…` : line;
}
