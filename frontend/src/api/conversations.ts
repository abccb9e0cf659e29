import { ApiError, ask } from "@/api/http";
import { askPage } from "@/api/pages";
import { untilAnswered } from "@/api/retry";
import type { AnswerSettings, Conversation, ConversationDetail, Message, Page, Rating } from "@/api/types";

const PATH = "/api/v1/conversations";

/** What a question or another answer brought into a conversation. */
export interface Added {
  conversation: Conversation;
  messages: readonly Message[];
}

export interface ConversationQuery {
  /** In titles and messages. */
  search?: string;
  archived?: boolean;
  /** A folder's id, or `none`. */
  folder?: string;
  /** The one that shows this job. */
  job?: string;
  cursor?: string;
}

export async function listConversations({ search, archived, folder, job, cursor }: ConversationQuery): Promise<Page<Conversation>> {
  return askPage(PATH, { search, archived: archived === true ? "true" : undefined, folder, job, cursor });
}

export async function getConversation(id: string): Promise<ConversationDetail> {
  return ask<ConversationDetail>(addressOf(id));
}

interface Asked {
  model?: string;
  /** Each of them answers, and the answers are shown side by side; instead of `model`. */
  models?: readonly string[];
  /** The same key again gives the first answer back, so a question whose reply was lost may be repeated. */
  key: string;
}

interface Said {
  content: string;
  /** The ids of its uploads. */
  images?: readonly string[];
}

/** Begin a conversation with its first question. */
export async function startConversation({ key, ...question }: Asked & Said & { assistant?: string } & Partial<AnswerSettings>): Promise<Added> {
  const { messages, ...conversation } = await post<ConversationDetail>(PATH, question, key);
  return { conversation, messages };
}

/** Ask below the answer `parent`; null for another first question. */
export async function askIn(id: string, { key, ...question }: Asked & Said & { parent: string | null }): Promise<Added> {
  return post<Added>(`${addressOf(id)}/messages`, question, key);
}

/** Have the question of this answer answered once more. */
export async function askAgain(id: string, answer: string, { key, ...wish }: Asked & { side_by_side?: boolean }): Promise<Added> {
  return post<Added>(`${addressOf(id)}/messages/${encodeURIComponent(answer)}/again`, wish, key);
}

export type ConversationChange = Partial<Pick<Conversation, "title" | "pinned" | "archived" | "folder" | "current" | "model" | keyof AnswerSettings>>;

export async function changeConversation(id: string, change: ConversationChange): Promise<Conversation> {
  return untilAnswered(() => ask<Conversation>(addressOf(id), { method: "PATCH", json: change }));
}

/** Hide it; for some minutes it can be restored. */
export async function deleteConversation(id: string): Promise<void> {
  try {
    await untilAnswered(() => ask<null>(addressOf(id), { method: "DELETE" }));
  } catch (reason) {
    // Gone already: a first try whose answer was lost, or another device.
    if (!(reason instanceof ApiError) || reason.status !== 404) throw reason;
  }
}

export async function restoreConversation(id: string): Promise<Conversation> {
  return untilAnswered(() => ask<Conversation>(`${addressOf(id)}/restore`, { method: "POST" }));
}

export interface MessageRating {
  rating: Rating;
  rating_reason: string;
}

export async function rateMessage(id: string, message: string, rating: MessageRating): Promise<Message> {
  const address = `${addressOf(id)}/messages/${encodeURIComponent(message)}`;
  return untilAnswered(() => ask<Message>(address, { method: "PATCH", json: rating }));
}

/** The part of an exported file that makes a conversation again. */
export interface ConversationFile {
  title: string;
  messages: readonly (Pick<Message, "id" | "parent" | "role" | "content"> & Partial<Message>)[];
  current: string | null;
}

export async function importConversation(file: ConversationFile): Promise<ConversationDetail> {
  return ask<ConversationDetail>(`${PATH}/import`, { method: "POST", json: file });
}

/** Where its file can be downloaded. */
export function exportAddress(id: string, as: "markdown" | "json"): string {
  return `${addressOf(id)}/export?as=${as}`;
}

function addressOf(id: string): string {
  return `${PATH}/${encodeURIComponent(id)}`;
}

async function post<T>(path: string, json: unknown, key: string): Promise<T> {
  return untilAnswered(() => ask<T>(path, { method: "POST", json, headers: { "Idempotency-Key": key } }));
}
