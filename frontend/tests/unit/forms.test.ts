import { beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope } from "vue";

import { csrfToken } from "@/api/http";
import type { Model } from "@/api/types";
import { shapesFor } from "@/composables/imageSizes";
import { SCHEDULERS, useImageForm, type UseImageForm } from "@/composables/useImageForm";
import { speakingS } from "@/composables/useVoiceForm";
import { nextPath } from "@/router";

const MODEL: Model = {
  id: "sdxl",
  name: "SDXL",
  notes: "",
  medium: "image",
  engine: "sdxl",
  origin: "demo",
  source: "demo:image",
  demo: false,
  random: false,
  default: true,
  enabled: true,
  size_bytes: 0,
  languages: [],
  options: { max_steps: 40, max_count: 4 },
  state: { state: "ready", done: 0, total: 0, message: "" },
};

function form(): UseImageForm {
  return effectScope().run(() => useImageForm(MODEL, "a lake")) as UseImageForm;
}

beforeEach(() => {
  localStorage.clear();
  vi.restoreAllMocks();
});

describe("the image form", () => {
  it("says only what the person chose", () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    expect(form().input(null)).toEqual({ prompt: "a lake", seed: 2 ** 31, count: 1 });
  });

  it("keeps a locked seed and takes a new one otherwise", () => {
    const { form: values, input } = form();
    values.value.seed = 7;
    values.value.seedLocked = true;
    expect(input(null).seed).toBe(7);
    values.value.seedLocked = false;
    vi.spyOn(Math, "random").mockReturnValue(0.25);
    expect(input(null).seed).toBe(2 ** 30);
  });

  it("stays within the model's limits", () => {
    const { form: values, input } = form();
    Object.assign(values.value, { steps: 100, count: 8 });
    expect(input(null)).toMatchObject({ steps: 40, count: 4 });
  });

  it("leaves the size to a start image", () => {
    const { form: values, input } = form();
    values.value.shape = "3:2";
    expect(input(null)).toMatchObject({ width: 1216, height: 832 });
    const started = input("upload-1");
    expect(started).toMatchObject({ image: "upload-1", strength: 0.6 });
    expect(started).not.toHaveProperty("width");
  });

  it("takes over how a picture was made", () => {
    const { form: values, input, recall } = form();
    recall({ prompt: "sea", negative_prompt: "text", width: 832, height: 1216, steps: 12, guidance: 3, scheduler: "euler" }, 99);
    expect(input(null)).toEqual({ prompt: "sea", negative_prompt: "text", width: 832, height: 1216, steps: 12, guidance: 3, seed: 99, count: 1, scheduler: "euler" });
    expect(values.value.seedLocked).toBe(true);
  });

  it("offers sides that are multiples of 8, in any size", () => {
    for (const side of [64, 128, 256, 512, 1024])
      for (const { size } of shapesFor(side)) expect(size === null || (size.width % 8 === 0 && size.height % 8 === 0)).toBe(true);
  });

  it("offers each scheduler once", () => {
    expect(new Set(SCHEDULERS).size).toBe(SCHEDULERS.length);
  });
});

describe("small things", () => {
  it("expect Chinese to be slower by the character than English", () => {
    expect(speakingS("你好世界", 1)).toBe(1);
    expect(speakingS("fourteen chars", 2)).toBe(0.5);
  });

  it("find the CSRF token among other cookies", () => {
    expect(csrfToken("a=1; csrftoken=t%3D; b=2")).toBe("t=");
    expect(csrfToken("a=1")).toBe("");
  });

  it.each([
    ["/image", "/image"],
    ["//evil.example", "/chat"],
    ["/\\evil.example", "/chat"],
    ["https://evil.example", "/chat"],
    [undefined, "/chat"],
  ])("go from %s to %s after signing in", (next, path) => {
    expect(nextPath(next)).toBe(path);
  });
});
