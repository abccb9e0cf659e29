import { describe, expect, it } from "vitest";
import { createI18n } from "vue-i18n";

import type { JobEvent } from "@/api/events";
import type { ImageJob, Medium } from "@/api/types";
import { bytesOf, clock, describeJob, ordinal } from "@/composables/jobWords";
import { fold } from "@/composables/snapshot";
import { speedOf } from "@/composables/answers";
import { UNSEEN, observe, reasoningS, remainingS, type Timing } from "@/composables/timing";
import type { JobView } from "@/composables/useJobs";
import type { Messages } from "@/i18n/messages";
import { en } from "@/i18n/en";
import { zh } from "@/i18n/zh";

const job: ImageJob = {
  id: "j",
  kind: "image",
  status: "queued",
  attempt: 1,
  model: "sdxl",
  tier: "interactive",
  created_at: "2026-01-01T00:00:00Z",
  started_at: null,
  finished_at: null,
  input: { prompt: "a lake" },
};
const started: JobEvent = { type: "started", data: { attempt: 1, model: "sdxl" } };

function words(events: JobEvent[], { locale = "en", kind = "image", stopping = false }: { locale?: string; kind?: Medium; stopping?: boolean } = {}): string {
  const messages: Record<string, Messages> = { en, zh };
  const i18n = createI18n({ legacy: false, locale, messages });
  const view = { id: "j", job: { ...job, kind }, snapshot: fold(events), timing: UNSEEN, stopping } as JobView;
  return describeJob(view, (key, values) => i18n.global.t(key, values ?? {}), locale);
}

describe("a waiting job says where it is", () => {
  it.each([
    [[], "waiting for a free worker"],
    [[{ type: "queued", data: { position: 1, eta_s: 0 } }], "next in line · starts at once"],
    [[{ type: "queued", data: { position: 2, eta_s: 12 } }], "2nd in line · starts in about 12 s"],
    [[{ type: "queued", data: { position: 21 } }], "21st in line"],
    [[started], "sdxl has started"],
    [[started, { type: "progress", data: { stage: "load", unit: "bytes", step: 3.1e9, steps: 6.9e9 } }], "loading sdxl, 3.1 of 6.9 GB"],
    [[started, { type: "progress", data: { stage: "download", unit: "bytes", step: 3e8, steps: 6.9e8 } }], "downloading sdxl, 300 of 690 MB"],
    [[started, { type: "progress", data: { stage: "load", step: 0, steps: 1 } }], "loading sdxl"],
    [[started, { type: "progress", data: { step: 14, steps: 20 } }], "step 14 of 20"],
    [[started, { type: "progress", data: { unit: "sentences", step: 2, steps: 3 } }], "sentence 2 of 3"],
    [[started, { type: "retry", data: { attempt: 2, from: "start" } }], "starting again (attempt 2)"],
    [[started, { type: "finished", data: {} }], "done"],
  ] as [JobEvent[], string][])("%#: %s", (events, expected) => {
    expect(words(events)).toBe(expected);
  });

  it("in Chinese too", () => {
    expect(words([{ type: "queued", data: { position: 2, eta_s: 12 } }], { locale: "zh" })).toBe("排第 2 位 · 约 12 秒后开始");
  });

  it("says thinking before answering", () => {
    const thinking: JobEvent[] = [started, { type: "delta", data: { reasoning: "Hm" } }];
    expect(words(thinking, { kind: "chat" })).toBe("thinking …");
    expect(words([...thinking, { type: "delta", data: { text: "Yes" } }], { kind: "chat" })).toBe("answering …");
  });

  it("says stopping at once", () => {
    expect(words([started], { stopping: true })).toBe("Stopping …");
  });
});

describe("numbers", () => {
  it("have English ordinals", () => {
    expect([1, 2, 3, 4, 11, 12, 22, 103].map((n) => ordinal(n, "en"))).toEqual(["1st", "2nd", "3rd", "4th", "11th", "12th", "22nd", "103rd"]);
  });

  it("are read as clock and bytes", () => {
    expect([0, 59.6, 65, 3600].map(clock)).toEqual(["0:00", "1:00", "1:05", "60:00"]);
    expect(bytesOf(1e6, 2.5e6)).toEqual({ done: "1.0", total: "2.5 MB" });
  });
});

describe("timing", () => {
  const step = (n: number): JobEvent => ({ type: "progress", data: { step: n, steps: 20 } });

  it("expects the rest at the speed of the steps seen", () => {
    let timing = observe(UNSEEN, step(2), 1000);
    expect(remainingS(timing, 20)).toBeNull();
    timing = observe(timing, step(12), 6000);
    expect(remainingS(timing, 20)).toBe(4);
  });

  it("measures only an answer that was seen from its submission on", () => {
    const events: [JobEvent, number][] = [
      [{ type: "delta", data: { reasoning: "Hm" } }, 1200],
      [{ type: "delta", data: { text: "a" } }, 2200],
      [{ type: "delta", data: { text: "b" } }, 3200],
    ];
    const seen = events.reduce<Timing>((timing, [event, at]) => observe(timing, event, at), { ...UNSEEN, submittedAt: 1000 });
    expect(reasoningS(seen)).toBe(1);
    const late = events.reduce<Timing>((timing, [event, at]) => observe(timing, event, at), UNSEEN);
    expect(reasoningS(late)).toBeNull();
  });

  it("takes the speed from what the worker counted", () => {
    expect(speedOf({ completion_tokens: 41, first_chunk_s: 0.2, run_s: 2.2 })).toEqual({ firstTokenS: 0.2, tokensPerS: 20 });
    expect(speedOf({ completion_tokens: 1, first_chunk_s: 0.2, run_s: 2.2 })).toEqual({ firstTokenS: 0.2, tokensPerS: null });
    expect(speedOf({})).toEqual({ firstTokenS: null, tokensPerS: null });
  });
});
