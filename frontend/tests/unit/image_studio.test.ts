import { flushPromises } from "@vue/test-utils";
import { createPinia, setActivePinia } from "pinia";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope, shallowRef } from "vue";

import type { Artifact, ImageInput, ImageJob } from "@/api/types";
import { parametersOf } from "@/composables/pictureParameters";
import { isPicture, useImageResults, type Picture } from "@/composables/useImageResults";
import { useImageStudio, type ImageStudio } from "@/composables/useImageStudio";
import { viewOf, type JobView } from "@/composables/useJobs";
import { FakeSocket } from "./fake_studio";

const PICTURE: Artifact = { id: "a1", url: "/api/v1/jobs/j1/artifacts/a1", media_type: "image/png", width: 64, height: 32, seed: 7 };

function jobOf(id: string, input: ImageInput, artifacts: Artifact[] | null, at = 0): ImageJob {
  const row = { tier: "interactive" as const, attempt: 1, model: "other", started_at: null, finished_at: null, created_at: new Date(at).toISOString() };
  return artifacts === null
    ? { id, kind: "image", status: "running", input, ...row }
    : { id, kind: "image", status: "succeeded", input, ...row, result: { artifacts } };
}

function pictureOf(input: ImageInput): Picture {
  const { selected } = useImageResults([viewOf(jobOf("j1", input, [PICTURE]))]);
  if (!isPicture(selected.value)) throw new Error("no picture");
  return selected.value;
}

describe("the results", () => {
  const older = viewOf(jobOf("old", { prompt: "a" }, [PICTURE], 1));

  it("keep what is looked at when something newer arrives", () => {
    const views = shallowRef<JobView[]>([older]);
    const { selected } = useImageResults(views);
    expect(selected.value?.key).toBe("a1");
    views.value = [viewOf(jobOf("new", { prompt: "b" }, null, 2)), older];
    expect(selected.value?.key).toBe("a1");
  });

  it("go from a picture in the making to the finished one", () => {
    const views = shallowRef<JobView[]>([viewOf(jobOf("new", { prompt: "b" }, null, 2)), older]);
    const { selected, selectJob, batch } = useImageResults(views);
    selectJob("new");
    expect(selected.value?.artifact).toBeNull();
    views.value = [viewOf(jobOf("new", { prompt: "b" }, [{ ...PICTURE, id: "b1" }, { ...PICTURE, id: "b2" }], 2)), older];
    expect(selected.value?.key).toBe("b1");
    expect(batch.value.map((each) => each.key)).toEqual(["b1", "b2"]);
  });

  it("are stepped through, and not beyond their ends", () => {
    const { selected, step } = useImageResults([viewOf(jobOf("new", { prompt: "b" }, [{ ...PICTURE, id: "b1" }], 2)), older]);
    step(-1);
    expect(selected.value?.key).toBe("b1");
    step(1);
    step(1);
    expect(selected.value?.key).toBe("a1");
  });
});

/** The server, as far as the studio asks it. */
class Server {
  uploads = new Map<string, string>();
  /** Uploads that went with their last job. */
  erased = new Set<string>();
  jobs: { input: ImageInput; model?: string }[] = [];
  pictures = new Map<string, object>();

  readonly fetch = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const [, , , kind = "", id = ""] = path.split("?")[0]?.split("/") ?? [];
    if (kind === "models") return Response.json({ results: ["default", "other"].map((model) => ({ id: model, medium: "image", enabled: true, default: model === "default", options: {}, languages: [] })) });
    if (kind === "pictures") return this.pictures.has(id) ? Response.json(this.pictures.get(id)) : this.gone();
    if (kind === "uploads") return this.upload(id, init);
    if (init.method !== "POST") return new Response(new Blob(["pixels"], { type: "image/png" }));
    const job = JSON.parse(init.body as string) as Server["jobs"][number];
    const missing = [...this.erased].find((upload) => Object.values(job.input).includes(upload));
    if (missing !== undefined) return this.gone(job.input.image === missing ? "input.image" : "input.mask");
    this.jobs.push(job);
    return Promise.resolve(Response.json(jobOf(`job-${this.jobs.length}`, job.input, null), { status: 202 }));
  };

  private upload(id: string, { method, body }: RequestInit): Response {
    if (method !== "POST") return this.uploads.has(id) ? new Response(new Blob(["pixels"])) : this.gone();
    const made = `upload-${this.uploads.size + 1}`;
    this.uploads.set(made, ((body as FormData).get("file") as File).name);
    return Response.json({ id: made, media_type: "image/png", width: 64, height: 32 }, { status: 201 });
  }

  private gone(field?: string): Response {
    return Response.json({ error: { code: "not_found", message: "There is no such thing.", field } }, { status: 404 });
  }
}

/** As much of a canvas as is asked of it here: whatever was painted, some of it is white. */
const CONTEXT = new Proxy({ getImageData: () => ({ data: new Uint8ClampedArray(8).fill(255) }) }, {
  get: (known, name) => (name in known ? known.getImageData : () => undefined),
  set: () => true,
});

describe("the studio", () => {
  let server: Server;
  let sent: string[];

  async function open(): Promise<ImageStudio> {
    setActivePinia(createPinia());
    const studio = effectScope().run(() => useImageStudio({ prompt: () => "a lake", startName: () => "earlier" }, (job) => sent.push(job)));
    await flushPromises();
    return studio as ImageStudio;
  }

  const file = (name: string): File => new File(["pixels"], name, { type: "image/png" });

  beforeEach(() => {
    localStorage.clear();
    sessionStorage.clear();
    server = new Server();
    sent = [];
    vi.stubGlobal("fetch", server.fetch);
    vi.stubGlobal("WebSocket", FakeSocket);
    vi.stubGlobal("createImageBitmap", () => Promise.resolve({ width: 64, height: 32, close: () => undefined }));
    vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(CONTEXT as unknown as RenderingContext);
    vi.spyOn(HTMLCanvasElement.prototype, "toBlob").mockImplementation((done) => {
      done(new Blob(["mask"], { type: "image/png" }));
    });
    URL.createObjectURL = () => "blob:picture";
    URL.revokeObjectURL = () => undefined;
  });

  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  it("says what is missing until a picture can be made", async () => {
    const studio = await open();
    expect(studio.missing.value).toBeNull();
    studio.form.form.value.mode = "inpaint";
    expect(studio.missing.value).toBe("start");
    await studio.startFrom(file("mine.png"));
    expect(studio.missing.value).toBe("mask");
    await studio.generate();
    expect(server.jobs).toEqual([]);
    studio.mask.add({ kind: "fill" });
    expect(studio.missing.value).toBeNull();
    studio.form.form.value.prompt = " ";
    expect(studio.missing.value).toBe("prompt");
  });

  it("uploads a mask once for as long as nothing is painted", async () => {
    const studio = await open();
    studio.form.form.value.mode = "inpaint";
    await studio.startFrom(file("mine.png"));
    studio.mask.add({ kind: "fill" });
    await studio.generate();
    studio.form.form.value.steps = 5;
    await studio.generate();
    expect([...server.uploads.values()]).toEqual(["mine.png", "mask.png"]);
    expect(server.jobs.map(({ input }) => input.mask)).toEqual(["upload-2", "upload-2"]);
    studio.mask.add({ kind: "invert" });
    studio.mask.undo();
    studio.mask.add({ kind: "rectangle", erase: true, from: { x: 0, y: 0 }, to: { x: 0.5, y: 1 } });
    await studio.generate();
    expect(server.jobs.at(-1)?.input.mask).toBe("upload-3");
    expect(sent).toEqual(["job-1", "job-2", "job-3"]);
  });

  it.each(["upload-1", "upload-2"])("gives the server again what it has erased: %s", async (erased) => {
    const studio = await open();
    studio.form.form.value.mode = "inpaint";
    await studio.startFrom(file("mine.png"));
    studio.mask.add({ kind: "fill" });
    await studio.generate();
    server.erased.add(erased);
    await studio.generate();
    expect(studio.error.value).toBeNull();
    expect(server.jobs.map(({ input: { image, mask } }) => [image, mask])).toEqual([["upload-1", "upload-2"], ["upload-3", "upload-4"]]);
    expect([...server.uploads.values()]).toEqual(["mine.png", "mask.png", "mine.png", "mask.png"]);
  });

  it("has no mask on another start image, and begins from it", async () => {
    const studio = await open();
    await studio.startFrom(file("mine.png"));
    expect(studio.form.form.value.mode).toBe("image");
    studio.mask.add({ kind: "fill" });
    await studio.startFrom(file("other.png"));
    expect(studio.mask.blank.value).toBe(true);
    await studio.generate();
    expect(server.jobs[0]?.input).toMatchObject({ image: "upload-2", strength: 0.6 });
  });

  it("finds start image and mask again after a reload", async () => {
    const before = await open();
    before.form.form.value.mode = "inpaint";
    await before.startFrom(file("mine.png"));
    before.mask.add({ kind: "fill" });
    await flushPromises();
    const after = await open();
    expect(after.start.image.value).toMatchObject({ state: "ready", id: "upload-1", name: "mine.png" });
    expect(after.mask.steps.value).toEqual([{ kind: "fill" }]);
  });

  it("takes a result's parameters, start image, mask and model over", async () => {
    const studio = await open();
    server.uploads.set("i", "i.png").set("m", "m.png");
    await studio.use(pictureOf({ prompt: "sea", image: "i", mask: "m", strength: 0.5, steps: 9, seed: 3 }));
    expect(studio.form.form.value).toMatchObject({ mode: "inpaint", prompt: "sea", steps: 9, seed: 7, maskStrength: 0.5 });
    expect(studio.models.model.value?.id).toBe("other");
    await studio.generate();
    expect(server.jobs[0]).toMatchObject({ model: "other", input: { image: "i", mask: "m", seed: 7 } });
  });

  it.each([["image"], ["mask"]])("says when the %s of a result is gone, and fills in the rest", async (gone) => {
    const studio = await open();
    server.uploads.set("i", "i.png").set("m", "m.png");
    server.uploads.delete(gone === "image" ? "i" : "m");
    await studio.use(pictureOf({ prompt: "sea", image: "i", mask: "m", steps: 9 }));
    expect(studio.notice.value).toEqual({ kind: "startGone" });
    expect(studio.form.form.value).toMatchObject({ prompt: "sea", steps: 9 });
    expect(studio.missing.value).toBe(gone === "image" ? "start" : "mask");
    expect(studio.start.error.value).toBeNull();
  });

  it("tells what a file says that has no place here, or that it began from a picture", async () => {
    const studio = await open();
    const read = (text: string): void => {
      const found = parametersOf([text]);
      if (found !== null) studio.useParameters(found);
    };
    read("a fox\nSteps: 20, Clip skip: 2");
    expect(studio.notice.value).toEqual({ kind: "unused", what: "Clip skip: 2" });
    read("a fox\nSteps: 20, Denoising strength: 0.4");
    expect(studio.notice.value).toEqual({ kind: "startNotInFile" });
    expect(studio.form.form.value).toMatchObject({ mode: "image", strength: 0.4 });
    await studio.readFile(file("plain.png"));
    expect(studio.notice.value).toEqual({ kind: "noParameters", name: "plain.png" });
  });

  it("varies by new seeds, everything else the same", async () => {
    const studio = await open();
    await studio.vary(pictureOf({ prompt: "sea", steps: 9, seed: 3, count: 1, width: 64, height: 32 }), { kind: "seeds", count: 4 });
    const { seed, ...rest } = server.jobs[0]?.input ?? { prompt: "" };
    expect(rest).toEqual({ prompt: "sea", steps: 9, count: 4, width: 64, height: 32 });
    expect(seed).not.toBe(3);
    expect(server.jobs[0]?.model).toBe("other");
  });

  it("varies by painting over the picture a little, but one step at least", async () => {
    const studio = await open();
    await studio.vary(pictureOf({ prompt: "sea", steps: 20, mask: "m", image: "i" }), { kind: "similar", count: 2 });
    expect(server.jobs[0]?.input).toMatchObject({ image: "upload-1", strength: 0.35, width: 64, height: 32, count: 2 });
    expect(server.jobs[0]?.input).not.toHaveProperty("mask");
    await studio.vary(pictureOf({ prompt: "sea", steps: 2 }), { kind: "similar", count: 1 });
    expect(server.jobs[1]?.input.strength).toBe(0.5);
  });

  it("goes on with a picture of the gallery, and says when it is gone", async () => {
    const studio = await open();
    server.pictures.set("p", { id: "p", input: { prompt: "sea", steps: 4 }, seed: 11, model: "other", file: "/files/p" });
    await studio.useFromGallery("p");
    expect(studio.form.form.value).toMatchObject({ prompt: "sea", steps: 4, seed: 11, seedLocked: true });
    await studio.startFromGallery("p");
    expect(studio.start.image.value).toMatchObject({ state: "ready", id: "upload-1" });
    await studio.useFromGallery("gone");
    expect(studio.notice.value).toEqual({ kind: "pictureGone" });
    expect(studio.form.form.value.prompt).toBe("sea");
  });
});
