import { describe, expect, it } from "vitest";

import type { JobEvent, SpokenSentence } from "@/api/events";
import type { Artifact, ChatJob } from "@/api/types";
import { EMPTY, apply, fold, isEnded, snapshotOf } from "@/composables/snapshot";

const started: JobEvent = { type: "started", data: { attempt: 1, model: "demo-chat" } };
const finished: JobEvent = { type: "finished", data: { usage: { completion_tokens: 3 }, finish_reason: "stop", confidence: 0.9 } };
const artifact: Artifact = { id: "a1", url: "/a1", media_type: "image/png", width: 8, height: 8, seed: 4 };
const sentence: SpokenSentence = { id: "s1", url: "/s1", index: 0, text: "One.", duration_s: 1 };

function delta(data: { text?: string; reasoning?: string; whole?: boolean }): JobEvent {
  return { type: "delta", data };
}

describe("the fold of a job's events", () => {
  it("waits in its place until it is started", () => {
    const waiting = fold([{ type: "queued", data: { position: 2, eta_s: 12.5 } }]);
    expect(waiting).toMatchObject({ status: "queued", position: 2, etaS: 12.5 });
    expect(apply(waiting, started)).toMatchObject({ status: "running", model: "demo-chat", position: null, etaS: null });
  });

  it("joins text and reasoning apart from each other", () => {
    const snapshot = fold([started, delta({ reasoning: "Hm" }), delta({ reasoning: "m." }), delta({ text: "He" }), delta({ text: "llo" })]);
    expect(snapshot).toMatchObject({ reasoning: "Hmm.", text: "Hello" });
  });

  it("replaces everything with a delta that is whole", () => {
    expect(fold([started, delta({ text: "old", reasoning: "old" }), delta({ text: "all of it", whole: true })])).toMatchObject({
      text: "all of it",
      reasoning: "",
    });
  });

  it("goes on after a retry from here and clears after one from the start", () => {
    const before: JobEvent[] = [
      started,
      delta({ text: "half" }),
      { type: "audio", data: sentence },
      { type: "artifact", data: artifact },
      { type: "progress", data: { step: 3, steps: 20 } },
      { type: "preview", data: { image: "data:," } },
    ];
    const here = fold([...before, { type: "retry", data: { attempt: 2, from: "here" } }]);
    expect(here).toMatchObject({ status: "queued", attempt: 2, text: "half", progress: null, preview: null });
    expect(here.artifacts).toEqual([artifact]);
    const fresh = fold([...before, { type: "retry", data: { attempt: 2, from: "start" } }]);
    expect(fresh).toMatchObject({ status: "queued", attempt: 2, text: "", reasoning: "", audio: [], artifacts: [] });
  });

  it("keeps what was made when it ends, and drops what only mattered meanwhile", () => {
    const working = fold([started, delta({ text: "kept" }), { type: "progress", data: { step: 1, steps: 2 } }, { type: "preview", data: { image: "data:," } }]);
    expect(apply(working, finished)).toMatchObject({
      status: "succeeded",
      text: "kept",
      progress: null,
      preview: null,
      usage: { completion_tokens: 3 },
      finishReason: "stop",
      confidence: 0.9,
    });
    expect(apply(working, { type: "cancelled", data: {} })).toMatchObject({ status: "cancelled", text: "kept", finishReason: "cancelled" });
  });

  it("says why it failed or was blocked", () => {
    const failure = { code: "out_of_memory", message: "The card is full.", retryable: true };
    expect(fold([started, { type: "failed", data: failure }])).toMatchObject({ status: "failed", error: failure });
    expect(fold([started, { type: "blocked", data: { rule: "violence" } }])).toMatchObject({
      status: "blocked",
      error: { code: "blocked", message: "Stopped by rule violence.", rule: "violence" },
    });
  });

  it("does not change the snapshot it was given", () => {
    const before = fold([started]);
    apply(before, { type: "artifact", data: artifact });
    expect(before.artifacts).toEqual([]);
  });

  it("equals the job as the API reads it", () => {
    const job: ChatJob = {
      id: "j",
      kind: "chat",
      status: "succeeded",
      attempt: 1,
      model: "demo-chat",
      tier: "interactive",
      created_at: "2026-01-01T00:00:00Z",
      started_at: null,
      finished_at: null,
      input: { messages: [] },
      result: { text: "Hello", reasoning: "Hmm.", finish_reason: "stop", confidence: 0.9, usage: { completion_tokens: 3 } },
    };
    expect(snapshotOf(job)).toEqual(fold([started, delta({ reasoning: "Hmm." }), delta({ text: "Hello" }), finished]));
  });

  it("knows the ends", () => {
    expect(["queued", "running"].map((status) => isEnded(status as "queued"))).toEqual([false, false]);
    expect(isEnded(EMPTY.status)).toBe(false);
    expect(isEnded("blocked")).toBe(true);
  });
});
