import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope, nextTick, ref, type EffectScope } from "vue";

import type { PictureFilter } from "@/api/pictures";
import type { Picture } from "@/api/types";
import { queryOf } from "@/composables/useGalleryAddress";
import { usePictureList, type UsePictureList } from "@/composables/usePictureList";
import { useSelection } from "@/composables/useSelection";

const PAGE = 3;

function picture(number: number, change: Partial<Picture> = {}): Picture {
  const id = `p${number}`;
  return {
    id,
    job: `j${number}`,
    prompt: `picture ${number}`,
    model: "demo",
    seed: number,
    width: 64,
    height: 64,
    favourite: false,
    board: null,
    created_at: new Date(Date.UTC(2026, 0, 1, 0, number)).toISOString(),
    file: `/api/v1/pictures/${id}/file`,
    thumbnail: `/api/v1/pictures/${id}/thumbnail`,
    ...change,
  };
}

/** The server's list, newest first, three at a time; `hold` keeps answers back. */
class Server {
  pictures: Picture[] = [];
  asked: string[] = [];
  hold: Promise<void> = Promise.resolve();
  status = 200;

  readonly fetch = async (address: string): Promise<Response> => {
    const { searchParams } = new URL(address, "http://studio");
    this.asked.push(searchParams.toString());
    const newest = [...this.pictures].sort((a, b) => b.created_at.localeCompare(a.created_at));
    const found = newest.filter((each) => each.prompt.includes(searchParams.get("search") ?? ""));
    const from = Number(searchParams.get("cursor") ?? "0");
    const next = from + PAGE < found.length ? `http://studio/api/v1/pictures?cursor=${from + PAGE}` : null;
    await this.hold;
    if (this.status !== 200) return new Response(JSON.stringify({ error: { code: "unavailable", message: "away" } }), { status: this.status });
    return new Response(JSON.stringify({ results: found.slice(from, from + PAGE), next }));
  };
}

let server: Server;
let scope: EffectScope;

function open(filter: PictureFilter | ReturnType<typeof ref<PictureFilter>> = {}): UsePictureList {
  const list = scope.run(() => usePictureList(filter as PictureFilter));
  if (list === undefined) throw new Error("the scope has ended");
  return list;
}

async function ready(list: UsePictureList): Promise<void> {
  await vi.waitFor(() => {
    expect(list.state.value).not.toBe("loading");
  });
}

const idsOf = (list: UsePictureList): string[] => list.items.value.map((each) => each.id);

beforeEach(() => {
  server = new Server();
  server.pictures = [1, 2, 3, 4, 5, 6, 7].map((number) => picture(number));
  vi.stubGlobal("fetch", server.fetch);
  scope = effectScope();
});

afterEach(() => {
  scope.stop();
  vi.unstubAllGlobals();
});

describe("the list of pictures", () => {
  it("comes page by page, each picture once", async () => {
    const list = open();
    await ready(list);
    expect(idsOf(list)).toEqual(["p7", "p6", "p5"]);
    await Promise.all([list.more(), list.more()]);
    expect(idsOf(list)).toEqual(["p7", "p6", "p5", "p4", "p3", "p2"]);
    await list.more();
    await list.more();
    expect(idsOf(list)).toHaveLength(7);
    expect(list.hasMore.value).toBe(false);
  });

  it("holds back what arrives until it is asked for", async () => {
    const list = open();
    await ready(list);
    server.pictures.push(picture(8), picture(9));
    expect(await list.lookForNew()).toBe(2);
    expect(await list.lookForNew()).toBe(0);
    expect(idsOf(list)[0]).toBe("p7");
    expect(list.waiting.value).toHaveLength(2);
    list.showWaiting();
    expect(idsOf(list)).toEqual(["p9", "p8", "p7", "p6", "p5"]);
    expect(list.waiting.value).toHaveLength(0);
  });

  it("reads the list again when more has arrived than a page holds, so that none is missing", async () => {
    const list = open();
    await ready(list);
    server.pictures.push(...[8, 9, 10, 11].map((number) => picture(number)));
    await list.lookForNew();
    list.showWaiting();
    await vi.waitFor(() => {
      expect(idsOf(list)).toEqual(["p11", "p10", "p9"]);
    });
    await list.more();
    expect(idsOf(list)).toEqual(["p11", "p10", "p9", "p8", "p7", "p6"]);
  });

  it("puts back what was taken out, where it was", async () => {
    const list = open();
    await ready(list);
    const rows = list.items.value.filter((each) => each.id === "p6");
    list.remove(new Set(["p6"]));
    expect(idsOf(list)).toEqual(["p7", "p5"]);
    list.put(rows);
    expect(idsOf(list)).toEqual(["p7", "p6", "p5"]);
  });

  it("lets go of what does not match its filter any more", async () => {
    server.pictures = server.pictures.map((each) => ({ ...each, favourite: true, board: "b" }));
    const list = open({ favourite: true });
    await ready(list);
    list.change(new Set(["p6"]), { favourite: false });
    expect(idsOf(list)).toEqual(["p7", "p5"]);
    list.change(new Set(["p7"]), { board: null });
    expect(idsOf(list)).toEqual(["p7", "p5"]);
  });

  it("drops the answer for a filter that is not looked at any more", async () => {
    const filter = ref<PictureFilter>({ search: "picture 1" });
    let release = (): void => undefined;
    server.hold = new Promise((resolve) => {
      release = resolve;
    });
    const list = open(filter);
    server.hold = Promise.resolve();
    filter.value = { search: "picture 2" };
    await nextTick();
    await ready(list);
    release();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(idsOf(list)).toEqual(["p2"]);
  });

  it("keeps what it shows when a page cannot be read, and says why", async () => {
    const list = open();
    await ready(list);
    server.status = 503;
    await list.more();
    expect(list.state.value).toBe("failed");
    expect(list.error.value?.message).toBe("away");
    expect(idsOf(list)).toHaveLength(3);
    server.status = 200;
    await list.more();
    expect(idsOf(list)).toHaveLength(6);
    expect(list.error.value).toBeNull();
  });
});

describe("the selection", () => {
  const order = ["a", "b", "c", "d", "e"].map((id) => ({ id }));

  it("takes one in and out", () => {
    const { selected, turn } = useSelection(order);
    turn("b");
    turn("d");
    turn("b");
    expect([...selected.value]).toEqual(["d"]);
  });

  it.each([
    ["b", "d", ["b", "c", "d"]],
    ["d", "b", ["d", "b", "c"]],
  ])("takes in all from %s to %s", (from, to, expected) => {
    const { selected, turn, extendTo } = useSelection(order);
    turn(from);
    extendTo(to);
    expect([...selected.value].sort()).toEqual([...expected].sort());
  });

  it("begins a range where nothing was turned before", () => {
    const { selected, extendTo } = useSelection(order);
    extendTo("c");
    expect([...selected.value]).toEqual(["c"]);
  });
});

describe("the address of a list", () => {
  it.each<[PictureFilter, Record<string, string>]>([
    [{}, {}],
    [{ favourite: true, search: "湖" }, { favourite: "1", search: "湖" }],
    [{ board: "none", model: "m" }, { board: "none", model: "m" }],
    [{ search: "" }, {}],
  ])("of %j is %j", (filter, query) => {
    expect(queryOf(filter)).toEqual(query);
  });
});
