import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { effectScope, nextTick, ref, type EffectScope, type Ref } from "vue";

import { limitsOf, readNumber } from "@/composables/answerParams";
import { useAnswerSettings, type UseAnswerSettings } from "@/composables/useAnswerSettings";
import { useConversations } from "@/composables/useConversations";
import { CHAT_SCHEMA, begin, end, settle, type FakeServer } from "./fake_studio";

describe("a number", () => {
  const [tokens, temperature, topP, seed] = [limitsOf(CHAT_SCHEMA.max_tokens), limitsOf(CHAT_SCHEMA.temperature), limitsOf(CHAT_SCHEMA.top_p), limitsOf(CHAT_SCHEMA.seed)];

  it("has the limits that the API states", () => {
    expect(tokens).toEqual({ min: 1, above: false, max: 131_072, whole: true, usual: 1024 });
    expect(topP).toEqual({ min: 0, above: true, max: 1, whole: false, usual: null });
    // Larger ones cannot be told apart by JavaScript, and so not be sent as they were typed.
    expect(seed.max).toBe(Number.MAX_SAFE_INTEGER);
  });

  it.each([
    ["", temperature, "unset"],
    [" 0.7 ", temperature, 0.7],
    ["0,7", temperature, 0.7],
    ["2", temperature, 2],
    ["2.1", temperature, "range"],
    ["warm", temperature, "number"],
    ["0", topP, "range"],
    ["1", topP, 1],
    ["12.5", tokens, "whole"],
    ["0", tokens, "range"],
  ])("%j is read, or refused for a reason", (typed, limits, found) => {
    const reading = readNumber(typed, limits);
    expect(reading.state === "wrong" ? reading.why : reading.state === "number" ? reading.value : "unset").toBe(found);
  });
});

describe("how a conversation is asked", () => {
  let server: FakeServer;
  let scope: EffectScope;
  let id: Ref<string | undefined>;
  let settings: UseAnswerSettings;

  beforeEach(async () => {
    server = await begin();
    scope = effectScope();
    id = ref<string | undefined>();
    settings = scope.run(() => useAnswerSettings(id)) as UseAnswerSettings;
    await settle();
  });

  afterEach(() => {
    scope.stop();
    end();
  });

  async function open(): Promise<string> {
    const made = server.addConversation({ title: "A", params: { temperature: 1 } });
    await useConversations().open(made.id);
    id.value = made.id;
    await nextTick();
    return made.id;
  }

  it("goes with the first question, once", async () => {
    settings.system.value = "Be brief.";
    settings.type("temperature", "0.2");
    settings.keep("temperature");
    await settle();
    useConversations().send("Hi", { model: "demo", settings: settings.takeForNew() });
    await settle();
    expect(server.conversations.get("conversation-1")).toMatchObject({ system: "Be brief.", params: { temperature: 0.2 } });
    expect(settings.takeForNew()).toEqual({});
  });

  it("is kept on the server, and what was there stays", async () => {
    const opened = await open();
    settings.type("seed", "7");
    settings.keep("seed");
    await settle();
    expect(server.conversations.get(opened)?.params).toEqual({ temperature: 1, seed: 7 });
    expect(settings.shown("seed")).toBe("7");
    settings.type("temperature", "");
    settings.keep("temperature");
    await settle();
    expect(server.conversations.get(opened)?.params).toEqual({ seed: 7 });
  });

  it("is not sent while it is wrong, and stays as it was typed", async () => {
    await open();
    server.bodies = [];
    settings.type("temperature", "3");
    settings.keep("temperature");
    await settle();
    expect(server.bodies).toEqual([]);
    expect([settings.shown("temperature"), settings.wrong("temperature")?.why]).toEqual(["3", "range"]);
  });

  it("stays as it was typed when the server refuses it, which names the field", async () => {
    await open();
    server.refusal = [400, { error: { code: "bad_request", message: "params.seed: not today", field: "params.seed" } }];
    settings.type("seed", "9");
    settings.keep("seed");
    await settle();
    expect([settings.error.value?.field, settings.shown("seed")]).toEqual(["params.seed", "9"]);
    expect(settings.settings.value.params).toEqual({ temperature: 1 });
  });

  it("is plain again after a reset", async () => {
    const opened = await open();
    settings.system.value = "Rhyme.";
    settings.keepSystem();
    await settle();
    expect(server.conversations.get(opened)?.system).toBe("Rhyme.");
    settings.reset();
    await settle();
    expect(server.conversations.get(opened)).toMatchObject({ system: "", params: {} });
    expect(settings.isPlain.value).toBe(true);
  });
});
