/** What a job's end makes of the answer that it was for; the server writes the same. */

import type { ChatJob, Message, MessageState, Usage } from "@/api/types";
import { blank } from "@/composables/outbox";
import type { Snapshot } from "@/composables/snapshot";

const STATES = {
  queued: "running",
  running: "running",
  succeeded: "done",
  cancelled: "stopped",
  failed: "failed",
  blocked: "blocked",
} as const satisfies Record<Snapshot["status"], MessageState>;

export function settled(snapshot: Snapshot): Partial<Message> {
  return {
    state: STATES[snapshot.status],
    content: snapshot.text,
    reasoning: snapshot.reasoning,
    error: snapshot.error,
    finish_reason: snapshot.finishReason ?? "",
    usage: snapshot.usage,
    confidence: snapshot.confidence,
    ...(snapshot.model === null ? {} : { model: snapshot.model }),
  };
}

/** What is known with what has arrived: messages are only ever added, and an answer that has ended does not run again. */
export function mergeMessages(known: readonly Message[], arrived: readonly Message[]): Message[] {
  const merged = new Map(known.map((each) => [each.id, each]));
  for (const each of arrived) {
    const before = merged.get(each.id);
    if (before === undefined || before.state === "running" || each.state !== "running") merged.set(each.id, each);
  }
  return [...merged.values()];
}

/** The job of an answer that was just asked for, as far as it is known before its first event. */
export function jobOf(answer: Message, question: Message | undefined): ChatJob | null {
  if (answer.job === null) return null;
  return {
    id: answer.job,
    kind: "chat",
    status: "queued",
    attempt: 1,
    model: answer.model,
    tier: "interactive",
    created_at: answer.created_at,
    started_at: null,
    finished_at: null,
    input: { messages: question === undefined ? [] : [{ role: "user", content: question.content }] },
  };
}

/** The messages of a chat job that belongs to no conversation: a program asked it. */
export function messagesOfJob(job: ChatJob, snapshot: Snapshot): Message[] {
  const turns = job.input.messages.filter((turn) => turn.role !== "system");
  const said = turns.map((turn, index) => ({
    ...blank(job.created_at),
    id: String(index),
    parent: index === 0 ? null : String(index - 1),
    role: turn.role === "assistant" ? ("assistant" as const) : ("user" as const),
    content: turn.content,
  }));
  const answer: Message = { ...blank(job.created_at), id: job.id, parent: said.at(-1)?.id ?? null, role: "assistant", job: job.id };
  return [...said, { ...answer, model: job.model, ...settled(snapshot), state: STATES[snapshot.status] }];
}

export interface AnswerSpeed {
  firstTokenS: number | null;
  tokensPerS: number | null;
}

/** How fast the model was, as its worker counted. */
export function speedOf({ completion_tokens: tokens, first_chunk_s: first, run_s: run }: Usage): AnswerSpeed {
  const firstTokenS = typeof first === "number" ? first : null;
  // One token has no speed, and a burst that came at once tells nothing of the model's.
  const writingS = typeof first === "number" && typeof run === "number" ? run - first : 0;
  const tokensPerS = typeof tokens === "number" && tokens > 1 && writingS > 0.05 ? (tokens - 1) / writingS : null;
  return { firstTokenS, tokensPerS };
}
