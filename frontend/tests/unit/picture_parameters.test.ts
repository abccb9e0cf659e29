import { describe, expect, it } from "vitest";

import { parametersOf, type PictureParameters } from "@/composables/pictureParameters";
import { readTexts } from "@/composables/pictureTexts";
import { FILES, OTHERS_TEXT } from "./picture_files";

function bytesOf(name: keyof typeof FILES): Uint8Array {
  return Uint8Array.from(atob(FILES[name]), (letter) => letter.charCodeAt(0));
}

async function read(name: keyof typeof FILES): Promise<PictureParameters | null> {
  return parametersOf(await readTexts(bytesOf(name)));
}

const OURS = {
  prompt: '夕阳, a lake: "still"',
  negative_prompt: "text",
  width: 96,
  height: 64,
  steps: 12,
  guidance: 5.5,
  scheduler: "euler_a",
  seed: 4_000_000_001,
};
const OTHERS = {
  prompt: "a red fox, (snow:1.2)\nsecond line",
  negative_prompt: "blurry, text",
  width: 512,
  height: 768,
  steps: 28,
  guidance: 6.5,
  scheduler: "dpmpp_2m_karras",
  seed: 1_234_567_890,
};

describe("a picture of this studio", () => {
  it.each(["ourPng", "ourCommentJpeg", "ourAsciiJpeg", "ourDescribedJpeg", "ourXmpJpeg", "ourCommentWebp", "ourXmpWebp", "galleryJpeg", "galleryWebp"] as const)("says everything in %s", async (name) => {
    expect(await read(name)).toEqual({ input: OURS, model: "demo-image", fromPicture: null, unused: [] });
  });

  it("says that it was made from another one", async () => {
    expect(await read("ourInpaintedPng")).toMatchObject({ fromPicture: "inpaint", input: { strength: 0.8 } });
  });
});

describe("a picture of another tool", () => {
  it.each(["otherPng", "otherCompressedPng", "otherJpeg", "otherLittleJpeg"] as const)("says what maps in %s", async (name) => {
    expect(await read(name)).toEqual({ input: OTHERS, model: "dream, v8", fromPicture: null, unused: ["Clip skip: 2"] });
  });

  it("speaks any language", async () => {
    expect((await read("otherInternationalPng"))?.input.prompt).toBe("狐狸");
  });

  it.each([
    ["Euler a", "", "euler_a"],
    ["Euler", "Karras", "euler_karras"],
    ["DPM++ 2M SDE Karras", "", "dpmpp_2m_sde_karras"],
    ["UniPC", "", "unipc"],
    ["dpmpp_2m_sde", "", "dpmpp_2m_sde"],
  ])("paints by %s %s with %s", (sampler, schedule, scheduler) => {
    const text = `a fox\nSteps: 20, Sampler: ${sampler}${schedule === "" ? "" : `, Schedule type: ${schedule}`}, Seed: 1`;
    expect(parametersOf([text])?.input.scheduler).toBe(scheduler);
  });

  it("names a sampler that is not here", () => {
    const found = parametersOf(["a fox\nSteps: 20, Sampler: Restart, Seed: 1"]);
    expect(found?.input).not.toHaveProperty("scheduler");
    expect(found?.unused).toEqual(["Sampler: Restart"]);
  });

  it("began from a picture when it has a strength, unless that is of a second pass", () => {
    expect(parametersOf(["a\nSteps: 20, Denoising strength: 0.5"])).toMatchObject({ fromPicture: "image", input: { strength: 0.5 } });
    expect(parametersOf(["a\nSteps: 20, Denoising strength: 0.5, Hires upscale: 2"])?.fromPicture).toBeNull();
    expect(parametersOf(["a\nSteps: 20, Denoising strength: 0.5, Mask blur: 4"])?.fromPicture).toBe("inpaint");
  });

  it("may have no prompt, or one that mentions steps", () => {
    expect(parametersOf(["Steps: 20, Seed: 5"])?.input).toEqual({ prompt: "", steps: 20, seed: 5 });
    expect(parametersOf(["Steps: 3 of them\nSteps: 20, Seed: 5"])?.input).toEqual({ prompt: "Steps: 3 of them", steps: 20, seed: 5 });
  });
});

describe("values that this server refuses", () => {
  it("are left out", () => {
    const values = { prompt: "a", steps: 9000, guidance: "much", seed: -1, strength: 0, width: 64, height: 5, scheduler: "mine" };
    expect(parametersOf([JSON.stringify(values)])?.input).toEqual({ prompt: "a" });
  });

  it("become a multiple of 8 where they are sides", () => {
    expect(parametersOf(["a\nSteps: 20, Size: 500x333"])?.input).toMatchObject({ width: 504, height: 336 });
  });
});

describe("a file without parameters", () => {
  it("has none", async () => {
    expect(await read("plainPng")).toBeNull();
    expect(parametersOf(["", "{}", "[1]", "{broken", "holiday, 2019", '{"workflow": {}}'])).toBeNull();
    expect(await readTexts(new Uint8Array([1, 2, 3]))).toEqual([]);
  });

  it("is read without a fault wherever it is cut off", async () => {
    for (const name of Object.keys(FILES) as (keyof typeof FILES)[]) {
      const bytes = bytesOf(name);
      for (let length = 0; length < bytes.length; length += 7) await readTexts(bytes.slice(0, length));
    }
  });

  it("is read without a fault whatever byte is wrong", async () => {
    for (const name of ["otherCompressedPng", "ourCommentJpeg", "ourXmpWebp"] as const) {
      const bytes = bytesOf(name);
      for (let at = 8; at < Math.min(bytes.length, 400); at += 3) {
        const wrong = bytes.slice();
        wrong[at] = 255 - (wrong[at] ?? 0);
        await readTexts(wrong);
      }
    }
  });
});

it("the text of others has their last line in one piece", () => {
  expect(parametersOf([OTHERS_TEXT.replaceAll("\n", "\r\n")])?.input).toEqual(OTHERS);
});
