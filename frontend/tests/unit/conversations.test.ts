import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { watch } from "vue";

import type { ShownMessage } from "@/composables/outbox";
import { useConversations } from "@/composables/useConversations";
import { useJobs } from "@/composables/useJobs";
import { begin, end, finish, openPage, settle, socket, type FakeServer } from "./fake_studio";

let server: FakeServer;

beforeEach(async () => {
  server = await begin();
  useConversations();
});

afterEach(end);

function lasting(id: string): string {
  return useConversations().moved.get(id) ?? id;
}

function path(id: string): readonly ShownMessage[] {
  return useConversations().get(lasting(id))?.path ?? [];
}

function texts(id: string): string[] {
  return path(id).map((each) => each.content);
}

function posts(address: string): number {
  return server.asked.filter((each) => each === `POST /api/v1/${address}`).length;
}

/** Ask, and have it answered; the conversation's id. */
async function answered(question: string, answer: string): Promise<string> {
  const id = useConversations().send(question, { model: "demo" });
  await settle();
  finish(lastJob(), answer);
  await settle();
  // As the server writes it when the job ends.
  Object.assign(server.conversations.get(lasting(id))?.messages.at(-1) ?? {}, { state: "done", content: answer });
  Object.assign(server.jobs.get(lastJob()) ?? {}, { status: "succeeded", result: { text: answer } });
  return lasting(id);
}

function lastJob(): string {
  return [...server.jobs.keys()].at(-1) ?? "";
}

async function reload(): Promise<void> {
  await openPage();
  useConversations();
  await settle();
}

describe("a question", () => {
  it("shows at once, before the server has answered, and afterwards under the server's id", async () => {
    const id = useConversations().send("Hi there", { model: "demo" });
    expect(path(id).map(({ role, state, content }) => [role, state, content])).toEqual([["user", "done", "Hi there"], ["assistant", "sending", ""]]);
    expect([...useConversations().rows.values()].map((row) => row.title)).toEqual(["Hi there"]);
    await settle();
    expect(lasting(id)).toBe("conversation-1");
    expect([...useConversations().rows.keys()]).toEqual(["conversation-1"]);
    expect(path(id).map((each) => each.state)).toEqual(["done", "running"]);
  });

  it("is asked once when the answer to its submission was lost", async () => {
    server.loseNextAnswer = true;
    const id = useConversations().send("Hi", { model: null });
    await settle();
    await vi.advanceTimersByTimeAsync(1000);
    await settle();
    expect([posts("conversations"), server.conversations.size, server.jobs.size]).toEqual([2, 1, 1]);
    expect(path(id).map((each) => each.state)).toEqual(["done", "running"]);
  });

  it("stays while the server is away, and goes out by itself when the connection is back", async () => {
    server.down = true;
    const id = useConversations().send("Hi", { model: null });
    await vi.advanceTimersByTimeAsync(6000);
    await settle();
    expect(path(id).at(-1)).toMatchObject({ state: "unsent", failure: { code: "offline" } });
    expect(texts(id)[0]).toBe("Hi");
    server.down = false;
    socket().onclose?.();
    await vi.advanceTimersByTimeAsync(1000);
    socket().accept();
    await settle();
    expect(server.conversations.get(lasting(id))?.messages[0]?.content).toBe("Hi");
    expect(path(id).at(-1)?.state).toBe("running");
  });

  it("that was cut by a reload is asked again under the same key", async () => {
    server.loseNextAnswer = true;
    const id = useConversations().send("Hi", { model: null });
    await vi.advanceTimersByTimeAsync(1);
    server.down = true;
    await vi.advanceTimersByTimeAsync(6000);
    server.down = false;
    await reload();
    expect([server.conversations.size, server.keys.size]).toEqual([1, 1]);
    expect(texts(id)).toEqual(["Hi", ""]);
    expect(Object.keys(localStorage).filter((key) => key.startsWith("studio.outbox"))).toEqual([]);
  });

  it("is asked after the branch that was chosen just before it", async () => {
    const id = await answered("A poem?", "Roses.");
    const first = path(id).at(-1)?.id ?? "";
    useConversations().again(id, first, "demo");
    await settle();
    finish(lastJob(), "Violets.");
    await settle();
    const before = server.asked.length;
    useConversations().show(id, first);
    useConversations().send("More?", { conversation: id, model: null });
    await settle();
    const changes = server.asked.slice(before).filter((each) => !each.startsWith("GET"));
    expect(changes).toEqual([`PATCH /api/v1/conversations/${id}`, `POST /api/v1/conversations/${id}/messages`]);
    expect(texts(id)).toEqual(["A poem?", "Roses.", "More?", ""]);
  });

  it("that was refused can be sent again or taken back with its text", async () => {
    const id = await answered("One", "First");
    server.refuses = true;
    useConversations().send("Two", { conversation: id, model: null });
    await settle();
    const waiting = path(id).at(-1);
    expect(waiting).toMatchObject({ state: "unsent", failure: { message: "Redis does not answer." } });
    useConversations().retry(waiting?.id ?? "");
    expect(path(id).at(-1)?.state).toBe("sending");
    await settle();
    expect(path(id).at(-1)?.state).toBe("unsent");
    expect(useConversations().takeBack(waiting?.id ?? "").content).toBe("Two");
    expect(texts(id)).toEqual(["One", "First"]);
  });

  it("follows the answer that is shown", async () => {
    const id = await answered("One", "First");
    useConversations().send("Two", { conversation: id, model: null });
    await settle();
    const messages = server.conversations.get(id)?.messages ?? [];
    expect(messages[2]).toMatchObject({ content: "Two", parent: messages[1]?.id });
    expect(texts(id)).toEqual(["One", "First", "Two", ""]);
  });

  it("that is edited is a branch, and the old one can be shown again, also after a reload", async () => {
    const id = await answered("Rainbows?", "Light.");
    const first = path(id)[0]?.id ?? "";
    useConversations().edit(id, first, "Rainbows at night?", null);
    expect(texts(id)).toEqual(["Rainbows at night?", ""]);
    await settle();
    finish(lastJob(), "Moonbows.");
    await settle();
    expect(texts(id)).toEqual(["Rainbows at night?", "Moonbows."]);
    useConversations().show(id, first);
    expect(texts(id)).toEqual(["Rainbows?", "Light."]);
    await settle();
    await reload();
    await useConversations().open(id);
    expect(texts(id)).toEqual(["Rainbows?", "Light."]);
  });
});

describe("a question with pictures", () => {
  const PICTURES = [{ id: "upload-1", name: "a.png" }];

  it("shows them at once, and sends their ids", async () => {
    const id = useConversations().send("What is it?", { model: "demo", pictures: PICTURES });
    expect(path(id)[0]?.images).toEqual(["upload-1"]);
    await settle();
    expect(path(id)[0]?.images).toEqual(["upload-1"]);
    finish(lastJob(), "A fox.");
    await settle();
    useConversations().send("And this?", { conversation: lasting(id), model: "demo", pictures: [{ id: "upload-2", name: "b.png" }] });
    await settle();
    expect(server.conversations.get(lasting(id))?.messages.map((each) => each.images)).toEqual([["upload-1"], [], ["upload-2"], []]);
  });

  it("keeps them when it is edited", async () => {
    const id = useConversations().send("What is it?", { model: "demo", pictures: PICTURES });
    await settle();
    finish(lastJob(), "A fox.");
    await settle();
    useConversations().edit(lasting(id), path(id)[0]?.id ?? "", "Which animal is it?", null);
    expect(path(id)[0]).toMatchObject({ content: "Which animal is it?", images: ["upload-1"] });
    await settle();
    expect(path(id)[0]).toMatchObject({ content: "Which animal is it?", images: ["upload-1"] });
  });

  it("that stayed unsent has them after a reload, and gives them back with their names", async () => {
    server.refuses = true;
    const id = useConversations().send("What is it?", { model: "demo", pictures: PICTURES });
    await settle();
    await reload();
    expect(path(id)[0]?.images).toEqual(["upload-1"]);
    expect(useConversations().takeBack(path(id).at(-1)?.id ?? "")).toMatchObject({ content: "What is it?", pictures: PICTURES });
  });

  it("of words alone names no pictures to the server", async () => {
    useConversations().send("Hi", { model: "demo" });
    await settle();
    expect(server.bodies.at(-1)).not.toHaveProperty("images");
  });
});

describe("an answer", () => {
  it("has the text of its job when that ends", async () => {
    const id = useConversations().send("Hi there", { model: "demo" });
    await settle();
    finish("job-1", "Hello");
    await settle();
    expect(path(id).at(-1)).toMatchObject({ state: "done", content: "Hello", usage: { completion_tokens: 2 } });
    expect(useConversations().running.size).toBe(0);
    // The stream brought it: nobody had to ask for the job.
    expect(server.asked).not.toContain("GET /api/v1/jobs/job-1");
  });

  it("that runs is taken up by a page that was loaded anew, or by another device", async () => {
    const id = useConversations().send("Hi", { model: null });
    await settle();
    socket().say("job-1", "1-1", "started", { attempt: 1, model: "demo" });
    socket().say("job-1", "1-2", "delta", { text: "Half" });
    await settle();
    const known = lasting(id);
    localStorage.clear();
    await reload();
    expect([...useConversations().running]).toEqual([known]);
    socket().say("job-1", "1-1", "started", { attempt: 1, model: "demo" });
    socket().say("job-1", "1-2", "delta", { text: "Half" });
    socket().say("job-1", "1-3", "delta", { text: " and whole" });
    socket().say("job-1", "1-4", "finished", {});
    await settle();
    expect(path(known).at(-1)).toMatchObject({ state: "done", content: "Half and whole" });
    expect(posts("conversations")).toBe(1);
  });

  it("that has ended here does not run again when an older reading arrives", async () => {
    const id = useConversations().send("Hi", { model: null });
    await settle();
    finish("job-1", "Hello");
    await settle();
    const seen: unknown[] = [];
    watch(() => path(id).at(-1)?.state, (state) => seen.push(state), { flush: "sync" });
    await useConversations().open(lasting(id));
    expect(server.conversations.get(lasting(id))?.messages.at(-1)?.state).toBe("running");
    expect([path(id).at(-1)?.content, seen]).toEqual(["Hello", []]);
  });

  it("says when its job is gone", async () => {
    const id = useConversations().send("Hi", { model: null });
    await settle();
    const known = lasting(id);
    server.jobs.clear();
    await reload();
    await useConversations().open(known);
    await settle();
    expect(path(known).at(-1)).toMatchObject({ state: "failed", error: { message: "There is no such thing." } });
  });

  it("that is asked for again is a branch beside the first", async () => {
    const id = await answered("A poem?", "Roses.");
    const first = path(id).at(-1)?.id ?? "";
    useConversations().again(id, first, "demo");
    expect(path(id).map((each) => each.state)).toEqual(["done", "sending"]);
    await settle();
    finish(lastJob(), "Violets.");
    await settle();
    expect(texts(id)).toEqual(["A poem?", "Violets."]);
    useConversations().show(id, first);
    await settle();
    expect(texts(id)).toEqual(["A poem?", "Roses."]);
    expect(server.conversations.get(id)?.current).toBe(first);
  });

  it("keeps its rating on the server, and the old one when that is refused", async () => {
    const id = await answered("Hi", "Hello");
    const answer = path(id).at(-1)?.id ?? "";
    await useConversations().rate(id, answer, { rating: -1, rating_reason: "too short" });
    expect(server.conversations.get(id)?.messages.at(-1)).toMatchObject({ rating: -1, rating_reason: "too short" });
    server.refuses = true;
    const rated = useConversations().rate(id, answer, { rating: 1, rating_reason: "" });
    expect(path(id).at(-1)?.rating).toBe(1);
    await rated;
    expect(path(id).at(-1)).toMatchObject({ rating: -1, rating_reason: "too short" });
    expect(useConversations().error?.message).toBe("Redis does not answer.");
  });
});

describe("the ratings of an answer", () => {
  it("arrive one after the other, however slow the first is", async () => {
    const id = await answered("Hi", "Hello");
    const answer = path(id).at(-1)?.id ?? "";
    const fetch = server.fetch;
    let slow = true;
    vi.stubGlobal("fetch", async (address: string, init?: RequestInit) => {
      if (slow) {
        slow = false;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return fetch(address, init);
    });
    const first = useConversations().rate(id, answer, { rating: -1, rating_reason: "" });
    const second = useConversations().rate(id, answer, { rating: -1, rating_reason: "too loud" });
    await vi.advanceTimersByTimeAsync(200);
    await Promise.all([first, second]);
    expect(server.conversations.get(id)?.messages.at(-1)?.rating_reason).toBe("too loud");
  });
});

describe("a conversation", () => {
  it("has its new title at once, and the old one again when the server refuses it", async () => {
    const { id } = server.addConversation({ title: "Old" });
    await useConversations().open(id);
    const renamed = useConversations().change(id, { title: "New" });
    expect(useConversations().rows.get(id)?.title).toBe("New");
    await renamed;
    expect(server.conversations.get(id)?.title).toBe("New");
    server.refuses = true;
    await useConversations().change(id, { title: "Newer" });
    expect(useConversations().rows.get(id)?.title).toBe("New");
    expect(useConversations().error?.code).toBe("unavailable");
  });

  it("takes the title that the server finds for it after the first answer", async () => {
    const id = await answered("Why is the sky blue?", "Light.");
    Object.assign(server.conversations.get(id) ?? {}, { title: "The colour of the sky", titled: true });
    await vi.advanceTimersByTimeAsync(2000);
    expect(useConversations().rows.get(id)?.title).toBe("The colour of the sky");
    const asked = server.asked.length;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(server.asked.slice(asked)).toEqual([]);
  });

  it("does not go back to what an overtaken reading says", async () => {
    const id = await answered("One", "First");
    const old = structuredClone(useConversations().rows.get(id));
    useConversations().send("Two", { conversation: id, model: null });
    await settle();
    if (old !== undefined) useConversations().put(old);
    expect(texts(id)).toEqual(["One", "First", "Two", ""]);
  });

  it("takes changes in their order and shows the last one all the time", async () => {
    const { id } = server.addConversation({ title: "Old" });
    await useConversations().open(id);
    const seen: (string | undefined)[] = [];
    const first = useConversations().change(id, { title: "One" }).then(() => seen.push(useConversations().rows.get(id)?.title));
    const second = useConversations().change(id, { title: "Two" });
    await Promise.all([first, second]);
    expect([seen, useConversations().rows.get(id)?.title, server.conversations.get(id)?.title]).toEqual([["Two"], "Two", "Two"]);
  });

  it("is found by a job that another device started", async () => {
    const id = await answered("Hi", "Hello");
    const job = server.conversations.get(id)?.messages.at(-1)?.job ?? "";
    await reload();
    expect(await useConversations().findByJob(job)).toBe(id);
    expect(await useConversations().findByJob("another")).toBeNull();
  });

  it("that an earlier version kept in this browser moves to the server, once", async () => {
    const messages = [
      { id: "q", role: "user", content: "Hi" },
      { id: "a", role: "assistant", content: "Hello", model: "demo", reasoning: "" },
    ];
    localStorage.setItem("studio.conversations.u.old", JSON.stringify({ id: "old", title: "Hi", updatedAt: 1, messages }));
    await reload();
    await reload();
    expect([...server.conversations.values()].map(({ title, messages: stored }) => [title, stored.map((each) => [each.parent, each.content])])).toEqual([
      ["Hi", [[null, "Hi"], ["q", "Hello"]]],
    ]);
    expect(localStorage.getItem("studio.conversations.u.old")).toBeNull();
  });

  it("of somebody who has signed out is forgotten", async () => {
    const id = await answered("Hi", "Hello");
    vi.stubGlobal("fetch", () => Promise.resolve(new Response(JSON.stringify({ error: { code: "unauthenticated", message: "Sign in." } }), { status: 401 })));
    await useConversations().open(id).catch(() => undefined);
    await settle();
    expect([useConversations().rows.size, useJobs().views.size]).toEqual([0, 0]);
  });
});
