import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { useJobs } from "@/composables/useJobs";
import { begin, end, finish, openPage, settle, socket, type FakeServer } from "./fake_studio";

let server: FakeServer;

beforeEach(async () => {
  server = await begin();
});

afterEach(end);

describe("the jobs of a page", () => {
  it("grow with their events", async () => {
    const jobs = useJobs();
    const { id } = await jobs.submit({ kind: "chat", input: { messages: [] }, key: "k" });
    expect(socket().sent).toContainEqual(expect.objectContaining({ op: "follow", job: id, ref: id }));
    finish(id, "Hello");
    await settle();
    expect(jobs.views.get(id)?.snapshot).toMatchObject({ status: "succeeded", text: "Hello" });
    expect(jobs.running).toEqual([]);
  });

  it("are one job when the answer to a submit was lost", async () => {
    server.loseNextAnswer = true;
    const submitted = useJobs().submit({ kind: "chat", input: { messages: [] }, key: "k" });
    await settle();
    await vi.advanceTimersByTimeAsync(1000);
    await submitted;
    expect([server.asked.filter((each) => each === "POST /api/v1/jobs").length, server.jobs.size]).toEqual([2, 1]);
  });

  it("that run are found again by a page that was loaded anew", async () => {
    const { id } = server.addJob({ messages: [{ role: "user", content: "Hi" }] });
    await openPage();
    expect(useJobs().running.map((view) => view.id)).toEqual([id]);
    finish(id, "Hello again");
    await settle();
    expect(useJobs().views.get(id)?.snapshot.text).toBe("Hello again");
  });

  it("say stopping at once, and no longer when the server could not be asked", async () => {
    const jobs = useJobs();
    const { id } = await jobs.submit({ kind: "chat", input: { messages: [] }, key: "k" });
    server.refuses = true;
    const stopped = expect(jobs.stop(id)).rejects.toThrow("Redis does not answer.");
    await settle();
    await stopped;
    expect(jobs.views.get(id)?.stopping).toBe(false);
    server.refuses = false;
    await jobs.stop(id);
    await settle();
    expect(jobs.views.get(id)?.stopping).toBe(true);
    socket().say(id, "1-1", "cancelled", {});
    await settle();
    expect(jobs.views.get(id)).toMatchObject({ stopping: false, snapshot: { status: "cancelled" } });
  });
});
