import { createPinia, setActivePinia } from "pinia";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nextTick } from "vue";

import type { ChatJob, Job } from "@/api/types";
import { turnsOf, useConversations, type Answer, type Message } from "@/composables/useConversations";
import { useJobs } from "@/composables/useJobs";
import { useSession } from "@/composables/useSession";

/** The server, as far as these tests talk to it. */
class FakeServer {
  jobs = new Map<string, ChatJob>();
  keys = new Map<string, string>();
  submits = 0;
  failNextSubmit = false;
  cancelFails = false;

  readonly fetch = (path: string, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(path, "http://studio");
    if (url.pathname === "/api/v1/session") return json(200, { user: { id: "u", email: "a@b", name: "A", is_staff: false }, workspace: { id: "w", name: "W", role: "owner" } });
    if (url.pathname === "/api/v1/jobs" && init.method === "POST") return this.submit(init);
    if (url.pathname === "/api/v1/jobs") return json(200, { results: [...this.jobs.values()].filter((job) => job.status !== "succeeded"), next: null });
    const [, id = "", action] = /^\/api\/v1\/jobs\/([^/]+)(\/cancel)?$/.exec(url.pathname) ?? [];
    const job = this.jobs.get(id);
    if (job === undefined) return json(404, { error: { code: "not_found", message: `There is no job ${id}.` } });
    if (action !== undefined && this.cancelFails) return json(503, { error: { code: "unavailable", message: "Redis does not answer." } });
    return json(200, job);
  };

  private submit(init: RequestInit): Promise<Response> {
    this.submits += 1;
    const key = new Headers(init.headers).get("Idempotency-Key") ?? "";
    const known = this.keys.get(key);
    const job = known === undefined ? this.add(JSON.parse(init.body as string) as { input: ChatJob["input"] }) : this.jobs.get(known);
    if (job !== undefined) this.keys.set(key, job.id);
    // The job was made and its answer is lost on the way: the worst moment for a connection to break.
    if (this.failNextSubmit) {
      this.failNextSubmit = false;
      return Promise.reject(new TypeError("network"));
    }
    return json(202, job);
  }

  add({ input }: { input: ChatJob["input"] }): ChatJob {
    const id = `job-${this.jobs.size + 1}`;
    const job: ChatJob = { id, kind: "chat", status: "queued", attempt: 1, model: "demo", created_at: `2026-01-01T00:00:0${this.jobs.size}Z`, started_at: null, finished_at: null, input };
    this.jobs.set(id, job);
    return job;
  }
}

class FakeSocket {
  static last: FakeSocket | undefined;
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly sent: Record<string, unknown>[] = [];

  constructor() {
    FakeSocket.last = this;
  }

  send(data: string): void {
    this.sent.push(JSON.parse(data) as Record<string, unknown>);
  }

  close(): void {
    this.readyState = 3;
  }

  accept(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  say(job: string, id: string, type: string, data: unknown): void {
    this.onmessage?.({ data: JSON.stringify({ op: "event", job, id, type, data }) });
  }
}

function json(status: number, body: unknown): Promise<Response> {
  return Promise.resolve(new Response(JSON.stringify(body), { status }));
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await vi.advanceTimersByTimeAsync(20);
  await nextTick();
}

function socket(): FakeSocket {
  if (FakeSocket.last === undefined) throw new Error("no socket yet");
  return FakeSocket.last;
}

let server: FakeServer;

async function openPage(): Promise<void> {
  setActivePinia(createPinia());
  await useSession().load();
  useJobs();
  await settle();
  socket().accept();
  await settle();
}

beforeEach(async () => {
  vi.useFakeTimers();
  server = new FakeServer();
  vi.stubGlobal("fetch", server.fetch);
  vi.stubGlobal("WebSocket", FakeSocket);
  localStorage.clear();
  await openPage();
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function finish(id: string, text: string, first = 1): void {
  socket().say(id, `1-${first}`, "started", { attempt: 1, model: "demo" });
  socket().say(id, `1-${first + 1}`, "delta", { text });
  socket().say(id, `1-${first + 2}`, "finished", { usage: { completion_tokens: 2 } });
}

describe("the jobs of a page", () => {
  it("grow with their events", async () => {
    const jobs = useJobs();
    const { id } = await jobs.submit({ kind: "chat", input: { messages: [] }, key: "k" });
    expect(socket().sent).toContainEqual({ op: "follow", job: id, ref: id });
    finish(id, "Hello");
    await settle();
    expect(jobs.views.get(id)?.snapshot).toMatchObject({ status: "succeeded", text: "Hello" });
    expect(jobs.running).toEqual([]);
  });

  it("are one job when the answer to a submit was lost", async () => {
    server.failNextSubmit = true;
    const submitted = useJobs().submit({ kind: "chat", input: { messages: [] }, key: "k" });
    await settle();
    await vi.advanceTimersByTimeAsync(1000);
    await submitted;
    expect([server.submits, server.jobs.size]).toEqual([2, 1]);
  });

  it("that run are found again by a page that was loaded anew", async () => {
    const { id } = server.add({ input: { messages: [{ role: "user", content: "Hi" }] } });
    await openPage();
    expect(useJobs().running.map((view) => view.id)).toEqual([id]);
    finish(id, "Hello again");
    await settle();
    expect(useJobs().views.get(id)?.snapshot.text).toBe("Hello again");
  });

  it("say stopping at once, and no longer when the server could not be asked", async () => {
    const jobs = useJobs();
    const { id } = await jobs.submit({ kind: "chat", input: { messages: [] }, key: "k" });
    server.cancelFails = true;
    const stopped = expect(jobs.stop(id)).rejects.toThrow("Redis does not answer.");
    await settle();
    await stopped;
    expect(jobs.views.get(id)?.stopping).toBe(false);
    server.cancelFails = false;
    await jobs.stop(id);
    await settle();
    expect(jobs.views.get(id)?.stopping).toBe(true);
    socket().say(id, "1-1", "cancelled", {});
    await settle();
    expect(jobs.views.get(id)).toMatchObject({ stopping: false, snapshot: { status: "cancelled" } });
  });
});

describe("a conversation", () => {
  function answers(id: string): Answer[] {
    return (useConversations().get(id)?.messages ?? []).filter((message: Message) => message.role === "assistant");
  }

  it("keeps the answer when its job ends", async () => {
    const id = useConversations().send("Hi there", { model: "demo" });
    await settle();
    expect(answers(id)[0]).toMatchObject({ state: "running", job: "job-1" });
    finish("job-1", "Hello");
    await settle();
    expect(answers(id)[0]).toMatchObject({ state: "done", content: "Hello", usage: { completion_tokens: 2 } });
    expect(useConversations().get(id)?.title).toBe("Hi there");
  });

  it("sends what was said before", async () => {
    const id = useConversations().send("One", { model: null });
    await settle();
    finish("job-1", "First");
    await settle();
    useConversations().send("Two", { conversation: id, model: null });
    await settle();
    expect(server.jobs.get("job-2")?.input.messages).toEqual([
      { role: "user", content: "One" },
      { role: "assistant", content: "First" },
      { role: "user", content: "Two" },
    ]);
  });

  it("takes up a running answer after a reload and ends with the same text", async () => {
    const id = useConversations().send("Hi", { model: null });
    await settle();
    socket().say("job-1", "1-1", "started", { attempt: 1, model: "demo" });
    socket().say("job-1", "1-2", "delta", { text: "Half" });
    await settle();
    await openPage();
    useConversations();
    await settle();
    socket().say("job-1", "1-1", "started", { attempt: 1, model: "demo" });
    socket().say("job-1", "1-2", "delta", { text: "Half" });
    socket().say("job-1", "1-3", "delta", { text: " and whole" });
    socket().say("job-1", "1-4", "finished", {});
    await settle();
    expect(answers(id)[0]).toMatchObject({ state: "done", content: "Half and whole" });
    expect(server.submits).toBe(1);
  });

  it("gets the same job for a question whose submit was cut by a reload", async () => {
    const id = useConversations().send("Hi", { model: null });
    await settle();
    const key = [...server.keys.keys()][0];
    const stored = Object.keys(localStorage).find((each) => each.endsWith(id)) ?? "";
    localStorage.setItem(stored, (localStorage.getItem(stored) ?? "").replace('"running"', '"sending"').replace('"job-1"', "null"));
    await openPage();
    useConversations();
    await settle();
    expect([server.submits, server.jobs.size, [...server.keys.keys()]]).toEqual([2, 1, [key]]);
    expect(answers(id)[0]).toMatchObject({ state: "running", job: "job-1" });
  });

  it("says when its job is gone", async () => {
    const id = useConversations().send("Hi", { model: null });
    await settle();
    server.jobs.clear();
    await openPage();
    useConversations();
    await settle();
    expect(answers(id)[0]).toMatchObject({ state: "failed", error: "There is no job job-1." });
  });

  it("is made from a job that another device started", () => {
    const job = server.add({ input: { messages: [{ role: "system", content: "Be kind." }, { role: "user", content: "Hi" }] } }) as Job & ChatJob;
    const id = useConversations().forJob(job);
    expect(useConversations().get(id)?.messages.map((message) => message.role)).toEqual(["user", "assistant"]);
    expect(useConversations().forJob(job)).toBe(id);
  });

  it("leaves out questions that got no answer", () => {
    const empty = { role: "assistant", content: "" } as Answer;
    const turns = turnsOf([{ id: "1", role: "user", content: "lost" }, empty, { id: "2", role: "user", content: "asked" }]);
    expect(turns).toEqual([{ role: "user", content: "asked" }]);
  });
});
