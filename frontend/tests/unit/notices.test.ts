import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope, ref } from "vue";

import type { ShownMessage } from "@/composables/outbox";
import { useAssistants } from "@/composables/useAssistants";
import { useConversationList } from "@/composables/useConversationList";
import { useConversations } from "@/composables/useConversations";
import { useJobs } from "@/composables/useJobs";
import { useFolders } from "@/composables/useFolders";
import { useThread } from "@/composables/useThread";
import { begin, end, settle, socket, type FakeServer } from "./fake_studio";

let server: FakeServer;

beforeEach(async () => {
  server = await begin();
  server.addConversation({ title: "Rainbows" });
  await useConversationList().load();
});

afterEach(end);

async function pass(): Promise<void> {
  await settle();
  await vi.advanceTimersByTimeAsync(300);
  await settle();
}

/** Another page does this to the conversation, and the server tells it. */
function elsewhere(change: Record<string, unknown>): void {
  const row: Record<string, unknown> = { ...Object.assign(server.conversations.get("conversation-1") ?? {}, change) };
  delete row["messages"];
  socket().tell({ thing: "conversation", id: "conversation-1", data: row });
}

function title(): string | undefined {
  return useConversations().rows.get("conversation-1")?.title;
}

describe("what another page of the person does", () => {
  it("is asked for once the socket is open", () => {
    expect(socket().sent).toContainEqual({ op: "watch" });
  });

  it("is read again where the page may not have been told", async () => {
    const scope = effectScope();
    const thread = scope.run(() => useThread(ref("conversation-1")));
    await settle();
    Object.assign(server.conversations.get("conversation-1") ?? {}, { title: "Told to nobody", updated_at: "2100-01-01T00:00:00Z" });
    await pass();
    expect(thread?.thread.value?.conversation.title).toBe("Rainbows");
    socket().onmessage?.({ data: JSON.stringify({ op: "watching" }) });
    await pass();
    expect(thread?.thread.value?.conversation.title).toBe("Told to nobody");
    scope.stop();
  });

  it("shows a new title without asking the server", async () => {
    const before = server.asked.length;
    elsewhere({ title: "Bows of rain" });
    await pass();
    expect(title()).toBe("Bows of rain");
    expect(server.asked.slice(before)).toEqual([]);
  });

  it("shows the last of several changes only", async () => {
    const seen: (string | undefined)[] = [];
    elsewhere({ title: "One" });
    elsewhere({ title: "Two" });
    for (let i = 0; i < 10; i += 1) {
      await vi.advanceTimersByTimeAsync(50);
      seen.push(title());
    }
    expect([...new Set(seen)]).toEqual(["Rainbows", "Two"]);
  });

  it("brings a new question into the conversation that is open", async () => {
    await useConversations().open("conversation-1");
    const before = server.asked.length;
    await fetch("http://studio/api/v1/conversations/conversation-1/messages", { method: "POST", body: JSON.stringify({ content: "Why?", parent: null }) });
    elsewhere({});
    await pass();
    expect(useConversations().get("conversation-1")?.path.map((each) => [each.content, each.state])).toEqual([["Why?", "done"], ["", "running"]]);
    expect(useConversations().running).toEqual(new Set(["conversation-1"]));
    expect(server.asked.slice(before + 1)).toContain("GET /api/v1/conversations/conversation-1");
  });

  it("brings it also where the list has already told of it", async () => {
    await useConversations().open("conversation-1");
    await fetch("http://studio/api/v1/conversations/conversation-1/messages", { method: "POST", body: JSON.stringify({ content: "Why?", parent: null }) });
    await useConversationList().load();
    elsewhere({});
    await pass();
    expect(useConversations().get("conversation-1")?.path.map((each) => each.content)).toEqual(["Why?", ""]);
  });

  it("shows how it rated an answer, after what was clicked here before", async () => {
    await useConversations().open("conversation-1");
    useConversations().send("Why?", { conversation: "conversation-1", model: null });
    await settle();
    const path = (): readonly ShownMessage[] => useConversations().get("conversation-1")?.path ?? [];
    const answer = path().at(-1)?.id ?? "";
    socket().tell({ thing: "rating", id: answer, data: { conversation: "conversation-1", rating: -1, rating_reason: "Too long" } });
    await pass();
    expect(path().at(-1)).toMatchObject({ rating: -1, rating_reason: "Too long" });

    const answered = server.fetch;
    vi.stubGlobal("fetch", async (address: string, init?: RequestInit) => {
      await new Promise((resolve) => setTimeout(resolve, 2000));
      return answered(address, init);
    });
    const clicked = useConversations().rate("conversation-1", answer, { rating: 1, rating_reason: "" });
    socket().tell({ thing: "rating", id: answer, data: { conversation: "conversation-1", rating: -1, rating_reason: "Far too long" } });
    await vi.advanceTimersByTimeAsync(1000);
    expect(path().at(-1)?.rating).toBe(1);
    await vi.advanceTimersByTimeAsync(1500);
    await clicked;
    expect(path().at(-1)?.rating_reason).toBe("Far too long");
    socket().tell({ thing: "rating", id: answer, data: { conversation: "conversation-1", rating: 1, rating_reason: "" } });
    await pass();
    expect(path().at(-1)).toMatchObject({ rating: 1, rating_reason: "" });
  });

  it("is not asked about when it was this page itself", async () => {
    await useConversations().open("conversation-1");
    useConversations().send("Why?", { conversation: "conversation-1", model: null });
    await settle();
    const before = server.asked.length;
    elsewhere({});
    await pass();
    expect(server.asked.slice(before)).toEqual([]);
  });

  it("never shows a question of this page twice, however slow its answer is", async () => {
    await useConversations().open("conversation-1");
    server.loseNextAnswer = true;
    useConversations().send("Why?", { conversation: "conversation-1", model: null });
    await vi.advanceTimersByTimeAsync(1);
    elsewhere({});
    for (let i = 0; i < 20; i += 1) {
      await vi.advanceTimersByTimeAsync(50);
      expect(useConversations().get("conversation-1")?.messages).toHaveLength(2);
    }
    expect(useConversations().get("conversation-1")?.path.map((each) => each.state)).toEqual(["done", "running"]);
  });

  it("is found by its job when the notice was missed", async () => {
    await useConversations().open("conversation-1");
    await fetch("http://studio/api/v1/conversations/conversation-1/messages", { method: "POST", body: JSON.stringify({ content: "Why?", parent: null }) });
    await useJobs().findRunning();
    await pass();
    expect(useConversations().get("conversation-1")?.path.map((each) => each.content)).toEqual(["Why?", ""]);
  });

  it("shows a beginning of this page once, also when the notice is faster than the answer", async () => {
    const titles = (): string[] => [...useConversations().rows.values()].map((each) => each.title).filter((each) => each === "Hello");
    server.loseNextAnswer = true;
    useConversations().send("Hello", { model: null });
    await vi.advanceTimersByTimeAsync(1);
    const row: Record<string, unknown> = { ...server.conversations.get("conversation-2") };
    delete row["messages"];
    socket().tell({ thing: "conversation", id: "conversation-2", data: row });
    for (let i = 0; i < 20; i += 1) {
      await vi.advanceTimersByTimeAsync(50);
      expect(titles()).toEqual(["Hello"]);
    }
    expect(useConversations().rows.has("conversation-2")).toBe(true);
  });

  it("takes away what it deleted, and says so where that is open", async () => {
    const scope = effectScope();
    const thread = scope.run(() => useThread(ref("conversation-1")));
    await settle();
    expect(thread?.thread.value?.conversation.title).toBe("Rainbows");
    server.conversations.delete("conversation-1");
    socket().tell({ thing: "conversation", id: "conversation-1", data: null });
    await pass();
    expect(useConversationList().groups).toEqual([]);
    expect(thread?.error.value?.status).toBe(404);
    scope.stop();
  });

  it("shows its folders and assistants", async () => {
    await useAssistants().load();
    server.folders.push({ id: "f", name: "Sea", conversations: 0 });
    server.assistants.push({ id: "a", name: "Pirate", description: "", model: "", system: "", params: {}, opening: [] });
    socket().tell({ thing: "folders", id: "" });
    socket().tell({ thing: "assistants", id: "" });
    await pass();
    expect(useFolders().folders.map((each) => each.name)).toEqual(["Sea"]);
    expect(useAssistants().all.map((each) => each.name)).toEqual(["Pirate"]);
  });
});
