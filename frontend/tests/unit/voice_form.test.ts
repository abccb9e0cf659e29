import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope, nextTick, ref, type EffectScope } from "vue";

import type { Model, SpeechOffer, VoiceJob } from "@/api/types";
import { useJobs } from "@/composables/useJobs";
import { UNDO_MS, useSpeechHistory, type UseSpeechHistory } from "@/composables/useSpeechHistory";
import { useVoiceForm, type UseVoiceForm } from "@/composables/useVoiceForm";
import { begin, end, settle, socket } from "./fake_studio";

const OFFER: SpeechOffer = {
  model: "espeak",
  known: true,
  languages: ["cmn", "de"],
  voices: [
    { id: "f3", name: "female3", language: "" },
    { id: "sit/cmn", name: "Mandarin", language: "cmn" },
    { id: "gmw/de", name: "German", language: "de" },
  ],
  styles: [
    { id: "neutral", speed: 1, pitch: 1, volume: 1 },
    { id: "calm", speed: 0.9, pitch: 0.95, volume: 0.9 },
  ],
  ssml_elements: { speak: [], break: ["time"] },
  text_max: 20,
  ssml_max: 60,
};
const MODEL = { id: "espeak" } as Model;

let scope: EffectScope;

beforeEach(() => {
  localStorage.clear();
  scope = effectScope();
});

afterEach(() => {
  scope.stop();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("the voice form", () => {
  let asked: string[];
  let known: boolean;

  beforeEach(() => {
    vi.useFakeTimers();
    asked = [];
    known = true;
    vi.stubGlobal("fetch", (address: string) => {
      asked.push(address);
      return Promise.resolve(new Response(JSON.stringify({ ...OFFER, known, languages: known ? OFFER.languages : [] })));
    });
  });

  async function form(): Promise<UseVoiceForm> {
    const made = scope.run(() => useVoiceForm(MODEL, "Hello."));
    if (made === undefined) throw new Error("the scope has ended");
    await vi.advanceTimersByTimeAsync(10);
    return made;
  }

  it("asks again until the model is known", async () => {
    known = false;
    const { offer } = await form();
    expect(offer.value).toBeNull();
    known = true;
    await vi.advanceTimersByTimeAsync(2000);
    expect(offer.value?.languages).toEqual(["cmn", "de"]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toEqual(["/api/v1/speech-offer?model=espeak", "/api/v1/speech-offer?model=espeak"]);
  });

  it("offers the voices of the language, and those that speak every one", async () => {
    const { form: values, voices } = await form();
    values.value.language = "de";
    expect(voices.value.map((each) => each.id)).toEqual(["f3", "gmw/de"]);
  });

  it("says nothing that the model does not have", async () => {
    const { form: values, input } = await form();
    Object.assign(values.value, { language: "xx", voice: "somebody" });
    expect(input()).toEqual({ text: "Hello.", speed: 1, pitch: 1, volume: 1, format: "wav" });
    Object.assign(values.value, { language: "cmn", voice: "gmw/de" });
    expect(input()).toMatchObject({ language: "cmn" });
    expect(input()).not.toHaveProperty("voice");
  });

  it("knows a style by what it sets, until one of it is changed", async () => {
    const { form: values, style, setStyle } = await form();
    expect(style.value?.id).toBe("neutral");
    setStyle(OFFER.styles[1] ?? { id: "", speed: 1, pitch: 1, volume: 1 });
    expect([style.value?.id, values.value.speed]).toEqual(["calm", 0.9]);
    values.value.pitch = 1.5;
    expect(style.value).toBeNull();
  });

  it("takes over how a speech was made, SSML too", async () => {
    const { input, recall } = await form();
    const made = { ssml: "<speak>Hi</speak>", language: "de", voice: "f3", speed: 1.2, pitch: 0.9, volume: 0.5 };
    recall(made);
    expect(input()).toEqual({ ...made, format: "wav" });
  });

  it("does not send what is empty, too long, or no SSML", async () => {
    const { form: values, canSpeak, fault } = await form();
    expect(canSpeak.value).toBe(true);
    for (const [text, ssml] of [[" ", false], ["x".repeat(21), false], ["<speak>", true], ["<speak><p>x</p></speak>", true]] as const) {
      Object.assign(values.value, { text, ssml });
      expect([text, canSpeak.value]).toEqual([text, false]);
    }
    values.value.text = '<speak>x<break time="1s"/></speak>';
    expect([fault.value, canSpeak.value]).toEqual([null, true]);
  });

  it("keeps speech that is too long for a WAV file smaller", async () => {
    const { form: values, input } = await form();
    values.value.text = "word ".repeat(4000);
    expect(input().format).toBe("mp3");
  });
});

describe("the list of speeches", () => {
  let history: UseSpeechHistory;
  let speeches: VoiceJob[];
  let deeds: string[];
  let refuses: boolean;

  function speech(id: string, text: string, minute: number): VoiceJob {
    const at = `2026-01-01T00:0${minute}:00Z`;
    return { id, kind: "voice", tier: "interactive", status: "succeeded", attempt: 1, model: "espeak", created_at: at, started_at: at, finished_at: at, input: { text }, result: { artifacts: [] } };
  }

  beforeEach(async () => {
    const server = await begin();
    speeches = [speech("c", "third", 3), speech("b", "second", 2), speech("a", "first", 1)];
    deeds = [];
    refuses = false;
    vi.stubGlobal("fetch", (address: string, init: RequestInit = {}) => {
      const url = new URL(address, "http://studio");
      if (!url.pathname.startsWith("/api/v1/speeches")) return server.fetch(address, init);
      const method = init.method ?? "GET";
      if (method !== "GET") deeds.push(`${method} ${url.pathname.replace("/api/v1/speeches/", "")}`);
      if (method !== "GET") return Promise.resolve(refuses ? new Response('{"error":{"code":"unavailable","message":"Later."}}', { status: 503 }) : new Response(null, { status: 204 }));
      const search = url.searchParams.get("search") ?? "";
      return Promise.resolve(new Response(JSON.stringify({ results: speeches.filter((each) => (each.input.text ?? "").includes(search)), next: null })));
    });
    const made = scope.run(() => useSpeechHistory());
    if (made === undefined) throw new Error("the scope has ended");
    history = made;
    await settle();
  });

  afterEach(end);

  const texts = (): (string | undefined)[] => history.items.value.map((each) => each.job.input.text);

  it("shows what is spoken now among the others, newest first", async () => {
    useJobs().adopt({ ...speech("d", "fourth", 4), status: "running" }, 0);
    await nextTick();
    expect(texts()).toEqual(["fourth", "third", "second", "first"]);
  });

  it("finds by words, also what this page has just made", async () => {
    useJobs().adopt({ ...speech("d", "second again", 4), status: "running" }, 0);
    history.search.value = "second";
    await vi.advanceTimersByTimeAsync(500);
    expect(texts()).toEqual(["second again", "second"]);
  });

  it("hides a deleted one at once and has it back in its place when that is undone", async () => {
    const second = history.items.value[1];
    if (second === undefined) throw new Error("no second speech");
    await history.remove(second);
    expect([texts(), [...history.removed]]).toEqual([["third", "first"], [["b", "second"]]]);
    await history.undo("b");
    expect(texts()).toEqual(["third", "second", "first"]);
    await vi.advanceTimersByTimeAsync(UNDO_MS);
    expect(texts()).toEqual(["third", "second", "first"]);
    expect(deeds).toEqual(["DELETE b", "POST b/restore"]);
  });

  it("forgets a deleted one for good, also one that this page has made", async () => {
    useJobs().adopt(speech("c", "third", 3), 0);
    const third = history.items.value[0];
    if (third === undefined) throw new Error("no third speech");
    await history.remove(third);
    await vi.advanceTimersByTimeAsync(UNDO_MS);
    expect([texts(), history.removed.size, useJobs().views.has("c")]).toEqual([["second", "first"], 0, false]);
  });

  it("shows it again where it could not be deleted, and says why", async () => {
    refuses = true;
    const first = history.items.value[2];
    if (first === undefined) throw new Error("no first speech");
    await history.remove(first);
    expect([texts().length, history.error.value?.message]).toEqual([3, "Later."]);
  });

  it("is followed by the socket while it is spoken", async () => {
    const running = ref({ ...speech("d", "fourth", 4), status: "running" as const });
    useJobs().adopt(running.value, 0);
    socket().say("d", "1-1", "started", { attempt: 1, model: "espeak" });
    socket().say("d", "1-2", "audio", { id: "s0", url: "/s0", index: 0, text: "fourth", duration_s: 1, words: [{ text: "fourth", start_s: 0, end_s: 1 }] });
    await settle();
    expect(history.items.value[0]?.snapshot.audio[0]?.words?.[0]?.text).toBe("fourth");
  });
});
