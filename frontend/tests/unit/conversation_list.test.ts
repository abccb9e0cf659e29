import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Conversation } from "@/api/types";
import { groupConversations } from "@/composables/conversationGroups";
import { UNDO_MS } from "@/composables/undo";
import { useConversationList } from "@/composables/useConversationList";
import { useConversations } from "@/composables/useConversations";
import { begin, end, settle, type FakeServer } from "./fake_studio";

let server: FakeServer;

beforeEach(async () => {
  server = await begin();
  for (const title of ["Rainbows", "Poems", "Cooking"]) server.addConversation({ title });
  await useConversationList().load();
});

afterEach(end);

function titles(): string[] {
  return useConversationList().groups.flatMap((group) => group.conversations.map((each) => each.title));
}

function idOf(title: string): string {
  return [...server.conversations.values()].find((each) => each.title === title)?.id ?? "";
}

describe("the list of conversations", () => {
  it("has the last changed first, and what is pinned before all", async () => {
    expect(titles()).toEqual(["Cooking", "Poems", "Rainbows"]);
    await useConversations().change(idOf("Rainbows"), { pinned: true });
    expect(titles()).toEqual(["Rainbows", "Cooking", "Poems"]);
    expect(useConversationList().groups[0]?.name).toBe("pinned");
  });

  it("searches on the server when typing pauses, and shows what was found", async () => {
    const before = server.asked.length;
    for (const typed of ["P", "Po", "Poe"]) {
      useConversationList().search = typed;
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(server.asked.length).toBe(before);
    await settle();
    await settle();
    expect(server.asked.slice(before)).toEqual(["GET /api/v1/conversations"]);
    expect(titles()).toEqual(["Poems"]);
    useConversationList().search = "";
    await settle();
    await settle();
    expect(titles()).toHaveLength(3);
  });

  it("loses what is archived to the archive", async () => {
    await useConversations().change(idOf("Poems"), { archived: true });
    expect(titles()).toEqual(["Cooking", "Rainbows"]);
    useConversationList().archived = true;
    await settle();
    expect(titles()).toEqual(["Poems"]);
  });

  it("forgets what another device has deleted", async () => {
    server.conversations.delete(idOf("Poems"));
    await useConversationList().load();
    expect(titles()).toEqual(["Cooking", "Rainbows"]);
  });

  it("says why it could not be read, and keeps what it had", async () => {
    server.down = true;
    await useConversationList().load();
    expect(useConversationList()).toMatchObject({ state: "failed", error: { code: "offline" } });
    expect(titles()).toHaveLength(3);
  });
});

describe("a deleted conversation", () => {
  it("is gone at once and comes back by undo", async () => {
    const id = idOf("Poems");
    const removed = useConversationList().remove(id);
    expect(titles()).toEqual(["Cooking", "Rainbows"]);
    await removed;
    expect(server.conversations.get(id)?.deleted).toBe(true);
    await useConversationList().undo(id);
    expect(server.conversations.get(id)?.deleted).toBe(false);
    expect(titles()).toEqual(["Cooking", "Poems", "Rainbows"]);
    expect(useConversationList().removed.size).toBe(0);
  });

  it("can be brought back for ten seconds and no longer", async () => {
    await useConversationList().remove(idOf("Poems"));
    await vi.advanceTimersByTimeAsync(UNDO_MS - 100);
    expect(useConversationList().removed.size).toBe(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(useConversationList().removed.size).toBe(0);
  });

  it("is back in the list when the server could not delete it", async () => {
    server.refuses = true;
    await useConversationList().remove(idOf("Poems"));
    expect(titles()).toHaveLength(3);
    expect(useConversationList().removed.size).toBe(0);
  });

  it("that was never sent comes back as it was", async () => {
    server.refuses = true;
    const id = useConversations().send("Lost?", { model: null });
    await settle();
    await useConversationList().remove(id);
    expect(titles()).not.toContain("Lost?");
    server.refuses = false;
    await useConversationList().undo(id);
    await settle();
    expect(titles()).toContain("Lost?");
    expect([...server.conversations.values()].at(-1)?.title).toBe("Lost?");
  });
});

describe("the groups of a list", () => {
  it("begin at midnight", () => {
    const now = new Date(2026, 4, 20, 9, 0);
    const at = (day: number, hour: number, pinned = false): Conversation =>
      ({ id: `${day}-${hour}`, pinned, updated_at: new Date(2026, 4, day, hour).toISOString() }) as Conversation;
    const groups = groupConversations([at(18, 23), at(19, 0), at(20, 0), at(20, 8), at(1, 1, true)], now);
    expect(groups.map(({ name, conversations }) => [name, conversations.map((each) => each.id)])).toEqual([
      ["pinned", ["1-1"]],
      ["today", ["20-8", "20-0"]],
      ["yesterday", ["19-0"]],
      ["earlier", ["18-23"]],
    ]);
  });
});
