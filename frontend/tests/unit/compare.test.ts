import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { effectScope, type EffectScope } from "vue";

import type { Model } from "@/api/types";
import { useCompare, type UseCompare } from "@/composables/useCompare";
import { useConversations } from "@/composables/useConversations";
import { begin, end, finish, openPage, settle, type FakeServer } from "./fake_studio";

const MODELS = ["a", "b", "off"].map((id) => ({ id, name: id, enabled: id !== "off" }) as Model);

let server: FakeServer;
let scope: EffectScope;
let opened: string;

beforeEach(async () => {
  sessionStorage.clear();
  server = await begin();
  scope = effectScope();
});

afterEach(() => {
  scope.stop();
  end();
});

function compare(): UseCompare {
  const used = scope.run(() =>
    useCompare(
      () => MODELS,
      () => useConversations().get(useConversations().moved.get(opened) ?? opened),
    ),
  );
  if (used === undefined) throw new Error("the scope has ended");
  return used;
}

/** A question to both models, in a new conversation. */
function askBoth(): void {
  opened = useConversations().send("Which?", { model: "a", models: ["a", "b"] });
}

function answers(used: UseCompare): string[] {
  return used.comparison.value?.answers.map((each) => `${each.model} ${each.state} ${each.content}`.trim()) ?? [];
}

describe("a question to two models", () => {
  it("shows both answers side by side at once, and once the server has them", async () => {
    askBoth();
    const used = compare();
    expect(answers(used)).toEqual(["a sending", "b sending"]);
    await settle();
    expect(answers(used)).toEqual(["a running", "b running"]);
    expect(server.jobs.size).toBe(2);
    expect(used.comparison.value?.question.content).toBe("Which?");
  });

  it("is found again undecided in another page", async () => {
    askBoth();
    await settle();
    opened = "conversation-1";
    await openPage();
    await useConversations().open(opened);
    await settle();
    expect(answers(compare())).toEqual(["a running", "b running"]);
  });

  it("goes on from the answer that is kept, with its model", async () => {
    askBoth();
    await settle();
    finish("job-1", "Worse.");
    finish("job-2", "Better.");
    await settle();
    const used = compare();
    const better = used.comparison.value?.answers[1];
    if (better === undefined) throw new Error("no second answer");
    used.keep(better);
    await settle();
    expect(used.comparison.value).toBeNull();
    expect(useConversations().get("conversation-1")?.path.at(-1)?.content).toBe("Better.");
    expect(server.conversations.get("conversation-1")).toMatchObject({ current: better.id, model: better.model });
  });

  it("can be looked at side by side again", async () => {
    askBoth();
    await settle();
    const used = compare();
    const first = used.comparison.value?.answers[0];
    if (first === undefined) throw new Error("no answer");
    used.keep(first);
    await settle();
    expect(used.comparable.value).toBe(first.parent);
    used.open(used.comparable.value ?? "");
    await settle();
    expect(answers(used)).toHaveLength(2);
  });

  it("that could not be sent gives the words back", async () => {
    server.refuses = true;
    askBoth();
    await settle();
    const used = compare();
    expect(answers(used)).toEqual(["a unsent", "b unsent"]);
    const second = used.comparison.value?.answers[1];
    expect(useConversations().takeBack(second?.id ?? "").content).toBe("Which?");
    expect(used.comparison.value).toBeNull();
  });
});

describe("another answer beside the first", () => {
  it("stands there while it is asked for, and stays", async () => {
    opened = useConversations().send("Which?", { model: "a" });
    await settle();
    const first = useConversations().get("conversation-1")?.path.at(-1)?.id ?? "";
    useConversations().again("conversation-1", first, "b", { beside: true });
    const used = compare();
    expect(answers(used)).toEqual(["a running", "b sending"]);
    await settle();
    expect(answers(used)).toHaveLength(2);
    expect(server.bodies.at(-1)).toEqual({ model: "b", side_by_side: true });
  });
});

describe("who is compared", () => {
  it("is only who can be asked, and nobody where that leaves one", () => {
    const used = compare();
    used.choose(["a", "b", "a"]);
    expect(used.compared.value.map((each) => each.id)).toEqual(["a", "b", "a"]);
    used.choose(["a", "off", "gone"]);
    expect(used.compared.value).toEqual([]);
  });
});
