import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { UNDO_MS } from "@/composables/undo";
import { useConversationList } from "@/composables/useConversationList";
import { useConversations } from "@/composables/useConversations";
import { useFolders } from "@/composables/useFolders";
import { begin, end, openPage, settle, type FakeServer } from "./fake_studio";

let server: FakeServer;

beforeEach(async () => {
  server = await begin();
  for (const title of ["Rainbows", "Poems"]) server.addConversation({ title });
  await useConversationList().load();
});

afterEach(end);

function loose(): string[] {
  return useConversationList().groups.flatMap((group) => group.conversations.map((each) => each.title));
}

function idOf(title: string): string {
  return [...server.conversations.values()].find((each) => each.title === title)?.id ?? "";
}

async function filed(title: string): Promise<string> {
  const folder = (await useFolders().create("Work")) ?? "";
  await useConversationList().move(idOf(title), folder);
  return folder;
}

describe("a folder", () => {
  it("takes a conversation out of the list, and the server knows it", async () => {
    const folder = await filed("Poems");
    expect(loose()).toEqual(["Rainbows"]);
    expect(server.conversations.get(idOf("Poems"))?.folder).toBe(folder);
    await useConversationList().load();
    expect(loose()).toEqual(["Rainbows"]);
  });

  it("gives a conversation back to the list", async () => {
    await filed("Poems");
    await useConversationList().move(idOf("Poems"), null);
    expect(loose()).toEqual(["Poems", "Rainbows"]);
    expect(server.conversations.get(idOf("Poems"))?.folder).toBeNull();
  });

  it("that is deleted leaves what was in it to the list, and undo puts it back", async () => {
    const folder = await filed("Poems");
    await useConversationList().removeFolder(folder);
    expect(useFolders().folders).toEqual([]);
    expect(loose()).toEqual(["Poems", "Rainbows"]);
    await useConversationList().undoFolder(folder);
    expect(useFolders().folders.map((each) => each.name)).toEqual(["Work"]);
    expect(loose()).toEqual(["Rainbows"]);
  });

  it("can be brought back for ten seconds and no longer", async () => {
    const folder = await filed("Poems");
    await useConversationList().removeFolder(folder);
    await vi.advanceTimersByTimeAsync(UNDO_MS - 300);
    expect([...useFolders().removed.keys()]).toEqual([folder]);
    await vi.advanceTimersByTimeAsync(400);
    expect(useFolders().removed.size).toBe(0);
  });

  it("stays as it was when the server refuses a change, and says why", async () => {
    const folder = await filed("Poems");
    server.refuses = true;
    await useFolders().rename(folder, "Home");
    await useConversationList().removeFolder(folder);
    expect(useFolders().folders.map((each) => each.name)).toEqual(["Work"]);
    expect(useFolders().error?.message).toContain("Redis");
    expect(await useFolders().create("Another")).toBeNull();
  });

  it("hides nothing from a search", async () => {
    await filed("Poems");
    useConversationList().search = "Poem";
    await settle();
    await settle();
    expect(loose()).toEqual(["Poems"]);
  });

  it("hides nothing in the archive", async () => {
    await filed("Poems");
    await useConversations().change(idOf("Poems"), { archived: true });
    useConversationList().archived = true;
    await settle();
    expect(loose()).toEqual(["Poems"]);
  });

  it("that another device has deleted holds nothing back", async () => {
    await filed("Poems");
    server.folders.length = 0;
    await useConversationList().load();
    expect(loose()).toEqual(["Poems", "Rainbows"]);
  });

  it("is counted again when something moves", async () => {
    const folder = await filed("Poems");
    Object.assign(server.folders.find((each) => each.id === folder) ?? {}, { conversations: 1 });
    await vi.advanceTimersByTimeAsync(700);
    await settle();
    expect(useFolders().folders[0]?.conversations).toBe(1);
  });

  it("stays unfolded in the next page of this browser", async () => {
    const folder = await filed("Poems");
    expect(useFolders().isUnfolded(folder)).toBe(true);
    await openPage();
    expect(useFolders().isUnfolded(folder)).toBe(true);
    useFolders().unfold(folder, false);
    await openPage();
    expect(useFolders().isUnfolded(folder)).toBe(false);
  });
});
