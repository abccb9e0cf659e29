import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope, ref } from "vue";

import type { Model } from "@/api/types";
import { modelAddress, newModelAddress } from "@/api/admin";
import { factsOf, stateOf } from "@/composables/modelFacts";
import { usePanelWidth } from "@/composables/usePanelWidth";
import { useConversations } from "@/composables/useConversations";
import { useJobs } from "@/composables/useJobs";
import { useRetry } from "@/composables/useRetry";
import { useStopAll } from "@/composables/useStopAll";
import { useTray } from "@/composables/useTray";
import { begin, end, finish, settle, socket, type FakeServer } from "./fake_studio";

const LIMITS = { min: 200, max: 400, usual: 264 };

describe("the width of a panel", () => {
  it("follows the keys in the direction of its side, within its limits", () => {
    const left = ref(264);
    const right = ref(264);
    const list = usePanelWidth(left, 1, LIMITS);
    const inspector = usePanelWidth(right, -1, LIMITS);
    list.press("ArrowRight");
    inspector.press("ArrowRight");
    expect([left.value, right.value]).toEqual([280, 248]);
    for (let i = 0; i < 20; i += 1) list.press("ArrowRight");
    inspector.press("Home");
    expect([left.value, right.value]).toEqual([400, 200]);
    list.reset();
    expect(left.value).toBe(264);
    expect(list.press("a")).toBe(false);
  });

  it("follows the pointer until it is let go", () => {
    const width = ref(264);
    const { drag } = usePanelWidth(width, 1, LIMITS);
    const edge = document.createElement("div");
    edge.setPointerCapture = vi.fn();
    edge.addEventListener("pointerdown", drag);
    const at = (type: string, clientX: number): boolean => edge.dispatchEvent(Object.assign(new MouseEvent(type, { clientX }), { pointerId: 1 }));
    at("pointerdown", 100);
    at("pointermove", 150);
    expect(width.value).toBe(314);
    at("pointermove", 900);
    expect(width.value).toBe(400);
    at("pointerup", 900);
    at("pointermove", 100);
    expect(width.value).toBe(400);
  });
});

describe("what runs", () => {
  let server: FakeServer;

  beforeEach(async () => {
    server = await begin();
  });

  afterEach(end);

  it("is found when the tray is opened, also what another device began", async () => {
    const { id } = server.addJob({ messages: [{ role: "user", content: "Hi" }] });
    expect(useJobs().running).toEqual([]);
    useTray().open = true;
    await settle();
    expect(useJobs().running.map((view) => view.id)).toEqual([id]);
    expect(socket().sent).toContainEqual(expect.objectContaining({ op: "follow", job: id, ref: id }));
  });

  it("is found after a while without a press", async () => {
    socket().onmessage?.({ data: JSON.stringify({ op: "pong" }) });
    server.addJob({ messages: [{ role: "user", content: "Hi" }] });
    await vi.advanceTimersByTimeAsync(16_000);
    await settle();
    expect(useJobs().running.length).toBe(1);
  });

  it("is stopped all together, and each only once", async () => {
    const jobs = useJobs();
    for (const key of ["a", "b", "c"]) await jobs.submit({ kind: "chat", input: { messages: [] }, key });
    const scope = effectScope();
    const all = scope.run(() => useStopAll());
    expect(all?.count.value).toBe(3);
    await all?.stopAll();
    await settle();
    expect(all?.count.value).toBe(0);
    expect(server.asked.filter((each) => each.endsWith("/cancel")).length).toBe(3);
    scope.stop();
  });

  it("of a conversation is answered again beside the first answer", async () => {
    const conversations = useConversations();
    conversations.send("Why?", { model: "demo" });
    await settle();
    const [job] = [...server.jobs.values()];
    if (job === undefined) throw new Error("nothing was asked");
    finish(job.id, "Because.");
    await settle();
    await useRetry().retry(job);
    await settle();
    expect(server.asked.filter((each) => each.endsWith("/again")).length).toBe(1);
    expect(server.asked.filter((each) => each === "POST /api/v1/jobs")).toEqual([]);
  });

  it("of no conversation is submitted again with the same input", async () => {
    const job = server.addJob({ messages: [{ role: "user", content: "Hi" }] });
    await useRetry().retry(job);
    await settle();
    expect(server.bodies.at(-1)).toMatchObject({ kind: "chat", input: job.input, model: "demo" });
  });
});

describe("a model", () => {
  const model: Model = {
    id: "my_model.1",
    name: "M",
    notes: "",
    medium: "chat",
    engine: "openai",
    origin: "server",
    source: "",
    demo: false,
    random: false,
    enabled: true,
    default: false,
    size_bytes: 0,
    languages: ["en", "zh"],
    options: { context_window: 32_768 },
    state: { state: "downloading", done: 1e9, total: 3.6e9, message: "" },
  };
  const say = (key: string, values: Record<string, unknown> = {}): string => `${key} ${JSON.stringify(values)}`;

  it("says what it can do and how far it is", () => {
    expect(factsOf(model, say, say, "en")).toEqual([
      "models.asks.chat {}",
      'models.languages {"n":2,"names":"English, Chinese"}',
      'models.window {"n":"32,768"}',
    ]);
    expect(stateOf(model, say)).toBe('models.state.downloading {"done":"1.0","total":"3.6 GB"}');
  });

  it("says that it reads pictures only where it does", () => {
    expect(factsOf({ ...model, options: { vision: true } }, say, say, "en")).toContain("models.readsPictures {}");
    expect(factsOf({ ...model, options: { vision: "no" } }, say, say, "en")).not.toContain("models.readsPictures {}");
  });

  it("has its form in the admin pages, also under an id with an underscore", () => {
    expect(modelAddress(model.id)).toBe("/admin/catalog/model/my_5Fmodel.1/change/");
    expect(newModelAddress({ medium: "chat", engine: "openai", source: "http://a/v1" })).toBe(
      "/admin/catalog/model/add/?medium=chat&engine=openai&source=http%3A%2F%2Fa%2Fv1&enabled=on",
    );
  });
});
