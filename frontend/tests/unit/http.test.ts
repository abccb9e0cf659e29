import { afterEach, describe, expect, it, vi } from "vitest";

import { ask, type Ask } from "@/api/http";

afterEach(() => {
  vi.unstubAllGlobals();
});

async function outlives(asked: Ask): Promise<boolean | undefined> {
  const fetched = vi.fn<typeof fetch>(() => Promise.resolve(new Response(null, { status: 204 })));
  vi.stubGlobal("fetch", fetched);
  await ask("/api/v1/things/1", asked);
  return fetched.mock.calls[0]?.[1]?.keepalive;
}

describe("what is asked of the server", () => {
  it("reaches it also when the page is left, where it changes or deletes something", async () => {
    expect(await outlives({ method: "PATCH", json: { title: "Ports" } })).toBe(true);
    expect(await outlives({ method: "DELETE" })).toBe(true);
  });

  it("ends with the page where that asks again anyway, or browsers would refuse it", async () => {
    expect(await outlives({})).toBe(false);
    expect(await outlives({ method: "POST", json: { content: "Why?" } })).toBe(false);
    expect(await outlives({ method: "PATCH", json: { system: "x".repeat(20_000) } })).toBe(false);
  });
});
