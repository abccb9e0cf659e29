import { describe, expect, it } from "vitest";

import { preferredLocale } from "@/i18n";
import { en } from "@/i18n/en";
import { zh } from "@/i18n/zh";

type Tree = { [key: string]: string | Tree };

function flatten(tree: Tree, path = ""): Map<string, string> {
  const flat = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === "string") flat.set(path + key, value);
    else for (const [inner, text] of flatten(value, `${path}${key}.`)) flat.set(inner, text);
  }
  return flat;
}

const english = flatten(en);
const chinese = flatten(zh);
const sources = import.meta.glob<string>(["/src/**/*.vue", "/src/**/*.ts", "!/src/i18n/**"], { query: "?raw", import: "default", eager: true });
const code = Object.values(sources).join("\n");
const placeholders = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();

/** Keys as the code writes them: whole ones, and the parts before `${…}`. */
const wholeKeys = new Set([...code.matchAll(/(?<!=)["'`]([a-z]\w*(?:\.\w+)+)["'`]/gi)].map((match) => match[1] ?? "").filter((key) => (key.split(".")[0] ?? "") in en));
const prefixes = [...code.matchAll(/`([a-z]\w*\.(?:\w+\.)*)\${/gi)].map((match) => match[1] ?? "").filter((prefix) => (prefix.split(".")[0] ?? "") in en);

describe("the words", () => {
  it("are the same keys in both languages", () => {
    expect([...chinese.keys()].sort()).toEqual([...english.keys()].sort());
  });

  it("have the same placeholders in both languages", () => {
    for (const [key, text] of english) expect([key, placeholders(chinese.get(key) ?? "")]).toEqual([key, placeholders(text)]);
  });

  it("are not empty, and Chinese ones are Chinese", () => {
    const latin = new Set(["app.name", "language.en", "image.modelSize", "image.unfinished", "me.api"]);
    for (const [key, text] of chinese) if (!latin.has(key)) expect([key, /[\u4e00-\u9fff]/.test(text)]).toEqual([key, true]);
  });

  it("have a space between Chinese and Latin letters or digits", () => {
    for (const [key, text] of chinese) expect([key, text.match(/[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]/)?.[0]]).toEqual([key, undefined]);
  });

  it("exist for every key that the code names", () => {
    expect(wholeKeys.size).toBeGreaterThan(100);
    expect([...wholeKeys].filter((key) => !english.has(key))).toEqual([]);
    expect(prefixes.filter((prefix) => ![...english.keys()].some((key) => key.startsWith(prefix)))).toEqual([]);
  });

  it("are all used", () => {
    const unused = [...english.keys()].filter((key) => !wholeKeys.has(key) && !prefixes.some((prefix) => key.startsWith(prefix)));
    expect(unused).toEqual([]);
  });

  it("are all that a template says", () => {
    const spoken = Object.entries(sources).flatMap(([path, source]) => {
      const template = /<template>([\s\S]*)<\/template>/.exec(source)?.[1] ?? "";
      const text = template.replace(/<!--[\s\S]*?-->/g, "").replace(/\{\{[\s\S]*?\}\}/g, "").replace(/<(?:"[^"]*"|'[^']*'|[^>"'])*>/g, " ");
      return [...text.matchAll(/[A-Za-z]{2,}/g)].map((match) => `${path}: ${match[0]}`);
    });
    // The names of keys are the same in every language.
    expect(spoken.filter((each) => !each.endsWith(": Ctrl"))).toEqual([]);
  });
});

describe("the language of a new visitor", () => {
  it.each([
    [["zh-TW", "en"], "zh"],
    [["fr", "zh-CN"], "zh"],
    [["en-GB", "zh"], "en"],
    [["fr"], "en"],
  ])("%j is %s", (languages, locale) => {
    expect(preferredLocale(languages)).toBe(locale);
  });
});
