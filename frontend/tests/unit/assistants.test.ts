import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope, type EffectScope } from "vue";

import type { Assistant } from "@/api/types";
import { fieldsOf, formOf, useAssistantForm, type UseAssistantForm } from "@/composables/useAssistantForm";
import { useAssistants } from "@/composables/useAssistants";
import { useConversations } from "@/composables/useConversations";
import { useModelfile, type UseModelfile } from "@/composables/useModelfile";
import { UNDO_MS } from "@/composables/undo";
import { begin, end, settle, type FakeServer } from "./fake_studio";

const PIRATE: Assistant = {
  id: "pirate",
  name: "Pirate",
  description: "Says arr",
  model: "demo",
  system: "You are a pirate.",
  params: { temperature: 0.5, stop: ["the end"] },
  opening: [{ role: "user", content: "Hello" }],
};

let server: FakeServer;
let scope: EffectScope;

beforeEach(async () => {
  server = await begin();
  server.assistants.push({ ...PIRATE });
  await useAssistants().load();
  scope = effectScope();
});

afterEach(() => {
  scope.stop();
  end();
});

function inScope<T>(use: () => T): T {
  const used = scope.run(use);
  if (used === undefined) throw new Error("the scope has ended");
  return used;
}

const form = (id: string | null): UseAssistantForm => inScope(() => useAssistantForm(() => useAssistants().get(id)));
const modelfile = (): UseModelfile => inScope(useModelfile);

describe("the form of an assistant", () => {
  it("gives back what it was filled with", () => {
    const { id, ...fields } = PIRATE;
    expect(id).toBe("pirate");
    expect(fieldsOf(formOf(PIRATE))).toEqual(fields);
  });

  it("leaves out what is empty", () => {
    const empty = formOf(null);
    empty.name = " New ";
    empty.stop = "\n  \n";
    empty.opening = [{ role: "user", content: " " }];
    expect(fieldsOf(empty)).toEqual({ name: "New", description: "", model: "", system: "", params: {}, opening: [] });
  });

  it("keeps what was typed and not saved in this browser", async () => {
    const first = form("pirate");
    first.form.value.numbers.temperature = 0.9;
    await settle();
    expect(first.dirty.value).toBe(true);
    expect(form("pirate").form.value.numbers.temperature).toBe(0.9);
    first.discard();
    await settle();
    expect(first.dirty.value).toBe(false);
    expect(form("pirate").form.value.numbers.temperature).toBe(0.5);
  });

  it("saves a change, and a new one", async () => {
    const pirate = form("pirate");
    pirate.form.value.system = "You are a parrot.";
    await pirate.save();
    expect(server.assistants[0]?.system).toBe("You are a parrot.");
    expect(pirate.dirty.value).toBe(false);
    const other = form(null);
    other.form.value.name = "Admiral";
    await other.save();
    expect(useAssistants().all.map((each) => each.name)).toEqual(["Admiral", "Pirate"]);
  });

  it("keeps what was typed when the server refuses it, and says why", async () => {
    const pirate = form("pirate");
    pirate.form.value.name = "Parrot";
    server.refuses = true;
    expect(await pirate.save()).toBeNull();
    expect(pirate.error.value?.message).toContain("Redis");
    expect([pirate.form.value.name, pirate.dirty.value]).toEqual(["Parrot", true]);
  });
});

describe("a deleted assistant", () => {
  it("is gone at once, and comes back by undo for ten seconds", async () => {
    await useAssistants().remove("pirate");
    expect([useAssistants().all.length, server.assistants.length]).toEqual([0, 0]);
    await useAssistants().undo("pirate");
    expect([useAssistants().all.length, server.assistants.length]).toEqual([1, 1]);
    await useAssistants().remove("pirate");
    await vi.advanceTimersByTimeAsync(UNDO_MS + 100);
    expect(useAssistants().removed.size).toBe(0);
  });

  it("stays when the server could not delete it", async () => {
    server.refuses = true;
    await useAssistants().remove("pirate");
    expect(useAssistants().get("pirate")?.name).toBe("Pirate");
    expect(useAssistants().removed.size).toBe(0);
  });
});

describe("a chat with an assistant", () => {
  it("is asked of the server with it, and shows it at once", async () => {
    const id = useConversations().send("Who are you?", { model: "demo", assistant: "pirate" });
    expect(useConversations().get(id)?.conversation.assistant).toBe("pirate");
    await settle();
    expect(server.bodies.at(-1)).toEqual({ model: "demo", content: "Who are you?", assistant: "pirate" });
  });
});

describe("a Modelfile", () => {
  it("is checked when typing pauses, and its bad lines have their numbers", async () => {
    const file = modelfile();
    const before = server.asked.length;
    for (const typed of ["S", "SYSTEM Be", "SYSTEM Be kind.\nGREET all"]) {
      file.text.value = typed;
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(server.asked.length).toBe(before);
    await vi.advanceTimersByTimeAsync(500);
    await settle();
    expect(server.asked.slice(before)).toEqual(["POST /api/v1/assistants/import/check"]);
    expect(file.checked.value?.system).toBe("Be kind.");
    expect([...file.notes.value.keys()]).toEqual([2]);
  });

  it("becomes an assistant, and the next one begins empty", async () => {
    const file = modelfile();
    await file.read(new File(["SYSTEM Be kind."], "kind.Modelfile"));
    expect(file.name.value).toBe("kind");
    const made = await file.make();
    expect(useAssistants().get(made?.id)).toMatchObject({ name: "kind", system: "Be kind." });
    expect([file.name.value, file.text.value]).toEqual(["", ""]);
  });

  it("stays as typed when it is refused, also in the next page", async () => {
    const file = modelfile();
    file.name.value = "Kind";
    file.text.value = "SYSTEM Be kind.";
    await settle();
    server.refuses = true;
    expect(await file.make()).toBeNull();
    expect(file.error.value?.message).toContain("Redis");
    expect(modelfile().text.value).toBe("SYSTEM Be kind.");
  });
});
