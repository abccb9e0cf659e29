/** How a picture was made, from the texts in its file: ours as JSON, other tools' as the text they read from each other. */

import type { ImageInput } from "@/api/types";
import { SCHEDULERS } from "@/composables/imageSchedulers";

export interface PictureParameters {
  readonly input: ImageInput;
  readonly model: string | null;
  /** It was made from another picture, which its file does not hold. */
  readonly fromPicture: "image" | "inpaint" | null;
  /** What the file says and this studio has no place for. */
  readonly unused: readonly string[];
}

type Values = Readonly<Record<string, unknown>>;

/** As the server says; so are the limits below. */
export const PROMPT_MAX = 4000;
const [LEAST_SIDE, LARGEST_SIDE, SIDE_STEP] = [32, 4096, 8];

/** The parameters in the first text that holds any; null where none does. Ours come before those of others. */
export function parametersOf(texts: readonly string[]): PictureParameters | null {
  const own = texts.map(fromJson).find((each) => each !== null);
  return own ?? texts.map(fromText).find((each) => each !== null) ?? null;
}

// --- our own JSON

function fromJson(text: string): PictureParameters | null {
  const values = parsed(text);
  if (values === null || typeof values["prompt"] !== "string") return null;
  const mode = values["mode"];
  return {
    input: inputOf(values),
    model: typeof values["model"] === "string" ? values["model"] : null,
    fromPicture: mode === "inpainting" ? "inpaint" : mode === "image-to-image" ? "image" : null,
    unused: [],
  };
}

function parsed(text: string): Values | null {
  if (!text.trimStart().startsWith("{")) return null;
  try {
    const values = JSON.parse(text) as unknown;
    return typeof values === "object" && values !== null && !Array.isArray(values) ? (values as Values) : null;
  } catch {
    // A text that only begins like ours.
    return null;
  }
}

/** What a job may say, of values of any kind: a wrong one is left out. */
function inputOf(values: Values): ImageInput {
  const input: ImageInput = { prompt: String(values["prompt"]).slice(0, PROMPT_MAX) };
  const negative = values["negative_prompt"];
  if (typeof negative === "string" && negative !== "") input.negative_prompt = negative.slice(0, PROMPT_MAX);
  const [width, height] = [sideOf(values["width"]), sideOf(values["height"])];
  if (width !== null && height !== null) Object.assign(input, { width, height });
  const numbers = {
    steps: numberIn(values["steps"], 1, 150, true),
    guidance: numberIn(values["guidance"], 0, 30, false),
    seed: numberIn(values["seed"], 0, 2 ** 32 - 1, true),
    strength: numberIn(values["strength"], 0.01, 1, false),
  };
  for (const [name, value] of Object.entries(numbers)) if (value !== null) Object.assign(input, { [name]: value });
  const scheduler = SCHEDULERS.find((each) => each === values["scheduler"]);
  return scheduler === undefined ? input : { ...input, scheduler };
}

function numberIn(value: unknown, least: number, most: number, whole: boolean): number | null {
  if (typeof value !== "number" || !(value >= least && value <= most)) return null;
  return whole && !Number.isInteger(value) ? null : value;
}

function sideOf(value: unknown): number | null {
  const side = numberIn(value, LEAST_SIDE, LARGEST_SIDE, true);
  return side === null ? null : Math.round(side / SIDE_STEP) * SIDE_STEP;
}

// --- the text of other tools: the prompt, "Negative prompt: …", and a last line "Steps: 20, Sampler: Euler a, …"

const FACTS = /^\s*Steps:\s*\d+/;
const NEGATIVE = "Negative prompt:";
/** `Name: value`, the value in quotes where it holds a comma. */
const FACT = /([A-Z][\w /-]*):\s*("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)/g;
const UNDERSTOOD = new Set(["Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Model", "Denoising strength", "Mode"]);
// They say what wrote the file, not how the picture was made.
const SILENT = new Set(["Version", "Model hash", "VAE", "VAE hash", "Hashes", "Lora hashes", "TI hashes"]);

function fromText(text: string): PictureParameters | null {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const at = lines.findLastIndex((line) => FACTS.test(line));
  if (at < 0) return null;
  const facts = factsOf(lines.slice(at).join(" "));
  const { prompt, negative } = promptsOf(lines.slice(0, at));
  const [width, height] = (facts.get("Size") ?? "").split("x").map(Number);
  const scheduler = schedulerOf(facts.get("Sampler") ?? "", facts.get("Schedule type") ?? "");
  const values = {
    prompt,
    negative_prompt: negative,
    width,
    height,
    steps: numeric(facts.get("Steps")),
    guidance: numeric(facts.get("CFG scale")),
    seed: numeric(facts.get("Seed")),
    strength: numeric(facts.get("Denoising strength")),
    scheduler,
  };
  const unused = [...facts].filter(([name]) => !UNDERSTOOD.has(name) && !SILENT.has(name)).map(([name, value]) => `${name}: ${value}`);
  if (scheduler === null && facts.has("Sampler")) unused.push(`Sampler: ${facts.get("Sampler") ?? ""}`);
  return { input: inputOf(values), model: facts.get("Model") ?? null, fromPicture: fromPictureOf(facts), unused };
}

function promptsOf(lines: readonly string[]): { prompt: string; negative: string } {
  const negativeAt = lines.findIndex((line) => line.startsWith(NEGATIVE));
  if (negativeAt < 0) return { prompt: lines.join("\n").trim(), negative: "" };
  const negative = lines.slice(negativeAt).join("\n").slice(NEGATIVE.length).trim();
  return { prompt: lines.slice(0, negativeAt).join("\n").trim(), negative };
}

function factsOf(line: string): Map<string, string> {
  return new Map([...line.matchAll(FACT)].map(([, name = "", value = ""]) => [name.trim(), unquoted(value.trim())]));
}

function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    // Quotes of a person, not of a program.
    return value;
  }
}

function numeric(value: string | undefined): number | null {
  return value === undefined || value === "" ? null : Number(value);
}

function fromPictureOf(facts: ReadonlyMap<string, string>): PictureParameters["fromPicture"] {
  const mode = facts.get("Mode");
  if (mode === "inpainting" || facts.has("Mask blur")) return "inpaint";
  // A high-resolution second pass has a strength too, and began from words.
  const twoPasses = [...facts.keys()].some((name) => name.startsWith("Hires"));
  return mode === "image-to-image" || (facts.has("Denoising strength") && !twoPasses) ? "image" : null;
}

// How others call the schedulers of this studio, without spaces and signs.
const KNOWN_AS: Readonly<Record<string, (typeof SCHEDULERS)[number]>> = {
  eulera: "euler_a",
  eulerancestral: "euler_a",
  "dpm++2m": "dpmpp_2m",
  "dpm++2mkarras": "dpmpp_2m_karras",
  "dpm++2msde": "dpmpp_2m_sde",
  "dpm++2msdekarras": "dpmpp_2m_sde_karras",
};

function schedulerOf(sampler: string, schedule: string): string | null {
  const own = SCHEDULERS.find((each) => each === sampler);
  if (own !== undefined) return own;
  const plain = `${sampler}${schedule.toLowerCase() === "karras" ? schedule : ""}`.toLowerCase().replaceAll(/[\s_]/g, "");
  return KNOWN_AS[plain] ?? SCHEDULERS.find((each) => each.replaceAll("_", "") === plain) ?? null;
}
