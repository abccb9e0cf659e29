import { beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope } from "vue";

import { csrfToken } from "@/api/http";
import type { Model } from "@/api/types";
import { shapesFor } from "@/composables/imageSizes";
import { SCHEDULERS } from "@/composables/imageSchedulers";
import { useImageForm, type UseImageForm } from "@/composables/useImageForm";
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
    expect(form().input()).toEqual({ prompt: "a lake", seed: 2 ** 31 - 4, count: 1 });
  });

  it("keeps a locked seed and takes a new one otherwise", () => {
    const { form: values, input } = form();
    values.value.seed = 7;
    values.value.seedLocked = true;
    expect(input().seed).toBe(7);
    values.value.seedLocked = false;
    vi.spyOn(Math, "random").mockReturnValue(0.25);
    expect(input().seed).toBe(2 ** 30 - 2);
  });

  it("stays within the model's limits", () => {
    const { form: values, input } = form();
    Object.assign(values.value, { steps: 100, count: 8 });
    expect(input()).toMatchObject({ steps: 40, count: 4 });
  });

  it("leaves the size to a start image", () => {
    const { form: values, input } = form();
    values.value.shape = "3:2";
    expect(input()).toMatchObject({ width: 1216, height: 832 });
    const started = input({ image: "upload-1" });
    expect(started).toMatchObject({ image: "upload-1", strength: 0.6 });
    expect(started).not.toHaveProperty("width");
  });

  it("takes over how a picture was made", () => {
    const { form: values, input, recall } = form();
    recall({ prompt: "sea", negative_prompt: "text", width: 832, height: 1216, steps: 12, guidance: 3, scheduler: "euler" }, 99);
    expect(input()).toEqual({ prompt: "sea", negative_prompt: "text", width: 832, height: 1216, steps: 12, guidance: 3, seed: 99, count: 1, scheduler: "euler" });
    expect(values.value.seedLocked).toBe(true);
  });

  it("changes the painted part of a start image by a strength of its own", () => {
    expect(form().input({ image: "upload-1", mask: "upload-2" })).toMatchObject({ image: "upload-1", mask: "upload-2", strength: 1 });
  });

  it("takes over a size that is none of the usual shapes, and the model's own one", () => {
    const { form: values, input, recall } = form();
    recall({ prompt: "sea", width: 640, height: 448 });
    expect(input()).toMatchObject({ width: 640, height: 448 });
    recall({ prompt: "sea" });
    expect(values.value.shape).toBe("auto");
    expect(input()).not.toHaveProperty("width");
  });

  it("knows what a recalled picture began from", () => {
    const { form: values, recall } = form();
    recall({ prompt: "sea", image: "a", mask: "b", strength: 0.4 });
    expect(values.value).toMatchObject({ mode: "inpaint", maskStrength: 0.4, strength: 0.6 });
    recall({ prompt: "sea", image: "a", strength: 0.3 });
    expect(values.value).toMatchObject({ mode: "image", maskStrength: 0.4, strength: 0.3 });
    recall({ prompt: "sea" });
    expect(values.value.mode).toBe("text");
  });

  it("adds a style's words in the language of the prompt", () => {
    const { form: values, input } = form();
    Object.assign(values.value, { styles: ["ink"], negative: "text" });
    expect(input()).toMatchObject({ prompt: "a lake, Chinese ink wash painting, rice paper, empty space", negative_prompt: "text, photograph, bright colours" });
    Object.assign(values.value, { prompt: "一个湖。", negative: "" });
    expect(input()).toMatchObject({ prompt: "一个湖，水墨画，宣纸，留白", negative_prompt: "照片，鲜艳的颜色" });
  });

  it("does not add a style twice when its picture is recalled", () => {
    const { form: values, input, recall } = form();
    values.value.styles = ["ink"];
    const sent = input();
    recall(sent);
    expect(input().prompt).toBe(sent.prompt);
  });

  it("draws seeds that leave room for those of the whole batch", () => {
    vi.spyOn(Math, "random").mockReturnValue(1 - 2 ** -53);
    expect((form().input().seed ?? 0) + 8).toBeLessThanOrEqual(2 ** 32);
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
