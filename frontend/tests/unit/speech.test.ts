import { beforeEach, describe, expect, it, vi } from "vitest";

import type { SpokenSentence } from "@/api/events";
import { languageChoices } from "@/composables/languageNames";
import { searchChoices } from "@/composables/searchChoices";
import { markAt, marksOfSentences, marksOfWords, stretchesOf } from "@/composables/spokenText";
import { checkSsml, wordsOfSsml } from "@/composables/ssmlCheck";
import { ofMarkdown, ofSubtitles, readTextFile } from "@/composables/textFiles";
import { useWave } from "@/composables/useWave";
import { PEAKS_PER_S, barsOf, peaksOf, withPeaks } from "@/composables/wave";

function word(text: string, startS: number, endS: number): { text: string; start_s: number; end_s: number } {
  return { text, start_s: startS, end_s: endS };
}

function sentence(index: number, text: string, more: Partial<SpokenSentence> = {}): SpokenSentence {
  return { id: `s${index}`, url: `/s${index}`, index, text, duration_s: 1, ...more };
}

describe("the words of a speech", () => {
  it("stand in the text in their order, each of the same spelling once", () => {
    const text = "The cat, the dog; the end.";
    const marks = marksOfWords(text, [word("The", 0, 0.2), word("cat", 0.2, 0.5), word("the", 0.5, 0.6), word("dog", 0.6, 0.9), word("the", 1, 1.1), word("end", 1.1, 1.4)]);
    expect(marks.map((each) => each.start)).toEqual([0, 4, 9, 13, 18, 22]);
    expect(marks.map((each) => text.slice(each.start, each.end))).toEqual(["The", "cat", "the", "dog", "the", "end"]);
  });

  it("leave out what is written otherwise than it is spoken", () => {
    const marks = marksOfWords("Tea for 2.", [word("Tea", 0, 0.3), word("two", 0.3, 0.5), word("2", 0.5, 0.8)]);
    expect(marks.map((each) => each.start)).toEqual([0, 8]);
  });

  it("count from the start of the speech, sentence after sentence", () => {
    const text = "你好。\n  How  are\nyou?";
    const marks = marksOfSentences(text, [
      sentence(0, "你好。", { words: [word("你", 0, 0.2), word("好", 0.2, 0.4)] }),
      sentence(1, "How are you?", { words: [word("How", 0.1, 0.2), word("are", 0.2, 0.3), word("you", 0.3, 0.5)] }),
    ]);
    expect(marks.map((each) => text.slice(each.start, each.end))).toEqual(["你", "好", "How", "are", "you"]);
    expect(marks.map((each) => each.startS)).toEqual([0, 0.2, 1.1, 1.2, 1.3]);
  });

  it("are whole sentences where no times are known", () => {
    const text = "One. Two.";
    const marks = marksOfSentences(text, [sentence(0, "One."), sentence(1, "Two.")]);
    expect(marks).toEqual([
      { start: 0, end: 4, startS: 0, endS: 1 },
      { start: 5, end: 9, startS: 1, endS: 2 },
    ]);
  });

  it("make stretches that are the whole text again", () => {
    const text = "“One two.” Three four! And what has not arrived.";
    const words = ["One", "two", "Three", "four"].map((each, index) => word(each, index, index + 1));
    const stretches = stretchesOf(text, marksOfWords(text, words));
    expect(stretches.map((each) => text.slice(each.start, each.end))).toEqual(["“One two.” ", "Three four!", " And what has not arrived."]);
    expect(stretches.map((each) => each.marks.length)).toEqual([2, 2, 0]);
  });

  it("are found by the second that is heard", () => {
    const marks = marksOfWords("a b c", [word("a", 0.1, 0.2), word("b", 0.5, 0.6), word("c", 1, 1.2)]);
    expect([0, 0.1, 0.49, 0.5, 99].map((at) => markAt(marks, at))).toEqual([-1, 0, 0, 1, 2]);
  });
});

describe("the wave", () => {
  beforeEach(() => {
    vi.restoreAllMocks();
  });

  it("has the loudest sample of each fiftieth of a second", () => {
    const samples = new Float32Array(800);
    samples[10] = -0.5;
    samples[400] = 0.25;
    const peaks = peaksOf(samples, 8000);
    expect(peaks).toHaveLength(800 / (8000 / PEAKS_PER_S));
    expect([...peaks]).toEqual([0.5, 0, 0.25, 0, 0]);
  });

  it("has bars for what has arrived and none for the rest", () => {
    const peaks = withPeaks(new Float32Array(), new Float32Array(PEAKS_PER_S).fill(0.5), 1);
    expect(barsOf(peaks, 4, 4)).toEqual([0, 1, 0, 0]);
  });

  it("keeps its scale while sentences arrive, and is exact at the end", async () => {
    const read = vi.fn<(url: string) => Promise<Float32Array>>(() => Promise.resolve(new Float32Array(PEAKS_PER_S).fill(0.5)));
    const wave = useWave(read);
    wave.begin(4);
    wave.add([sentence(0, "a")]);
    wave.add([sentence(0, "a"), sentence(1, "b")]);
    await vi.waitFor(() => {
      expect(wave.peaks.value).toHaveLength(2 * PEAKS_PER_S);
    });
    expect(wave.scaleS.value).toBe(4);
    wave.finish(2, "/all");
    expect(wave.scaleS.value).toBe(2);
    expect(read.mock.calls.map(([url]) => url)).toEqual(["/s0", "/s1"]);
  });

  it("forgets what is read for a speech that is no longer shown", async () => {
    const answers: ((peaks: Float32Array) => void)[] = [];
    const wave = useWave(() => new Promise((resolve) => answers.push(resolve)));
    wave.begin(1);
    wave.add([sentence(0, "a")]);
    await vi.waitFor(() => {
      expect(answers).toHaveLength(1);
    });
    wave.begin(1);
    wave.add([sentence(0, "b")]);
    answers[0]?.(new Float32Array(10).fill(1));
    await vi.waitFor(() => {
      expect(answers).toHaveLength(2);
    });
    expect(wave.peaks.value).toHaveLength(0);
    answers[1]?.(new Float32Array(5).fill(1));
    await vi.waitFor(() => {
      expect(wave.peaks.value).toHaveLength(5);
    });
  });
});

describe("the search among languages", () => {
  const voices = [
    { id: "sit/cmn", name: "Chinese (Mandarin, latin as English)", language: "cmn" },
    { id: "sit/yue", name: "Chinese (Cantonese)", language: "yue" },
    { id: "art/piqd", name: "Klingon", language: "piqd" },
  ];
  const codes = ["cmn", "de", "es", "fr-fr", "en-us", "piqd", "yue"];
  const find = (search: string, locale: "en" | "zh"): string[] => searchChoices(languageChoices(codes, voices, locale, []), search).map((each) => each.value);

  it.each([
    ["普通话", ["cmn"]],
    ["Mandarin", ["cmn"]],
    ["mandarin chinese", ["cmn"]],
    ["cmn", ["cmn"]],
    ["粤语", ["yue"]],
    ["德语", ["de"]],
    ["Deutsch", ["de"]],
    ["german", ["de"]],
    ["espanol", ["es"]],
    ["Klingon", ["piqd"]],
    ["no such tongue", []],
  ])("finds %s in a page of either language", (search, found) => {
    expect(find(search, "en")).toEqual(found);
    expect(find(search, "zh")).toEqual(found);
  });

  it("names them in the language of the page, those of the browser first", () => {
    expect(languageChoices(codes, voices, "zh", ["zh-CN", "en"]).slice(0, 2).map((each) => each.label)).toEqual(["中文（普通话）", "美国英语"]);
    expect(languageChoices(codes, voices, "en", ["en-GB"])[0]?.label).toBe("American English");
  });
});

describe("SSML", () => {
  const elements = { speak: ["xml:lang"], break: ["time", "strength"], voice: ["name", "xml:lang"] };

  it.each([
    ['<?xml version="1.0"?>\n<speak xmlns="http://www.w3.org/2001/10/synthesis" version="1.1">Hello<break time="1s"/><!-- & --></speak>', null],
    ["<speak>Tom &amp; Jerry &#169; <![CDATA[a < b & c]]></speak>", null],
    ['<speak>a <audio src="x"/></speak>', { kind: "element", name: "audio" }],
    ['<speak><break length="1s"/></speak>', { kind: "attribute", name: "length", element: "break" }],
    ["<speak><voice name='a b=c'>x</voice></speak>", null],
    ["<p>Hello</p>", { kind: "root" }],
    ["Hello", { kind: "root" }],
    ["<speak>a</speak><speak>b</speak>", { kind: "root" }],
    ["<speak>not closed", { kind: "open", name: "speak" }],
    ["<speak><voice>a</speak></voice>", { kind: "close", name: "speak" }],
    ["<speak>a</speak></speak>", { kind: "close", name: "speak" }],
    ["<speak>\n1 < 2</speak>", { kind: "tag", line: 2 }],
    ["<!DOCTYPE speak><speak>a</speak>", { kind: "tag", line: 1 }],
    ["<speak>Tom\n& Jerry</speak>", { kind: "entity", line: 2 }],
  ])("is checked as it is typed: %s", (ssml, fault) => {
    expect(checkSsml(ssml, elements)).toEqual(fault);
  });

  it("gives its words", () => {
    expect(wordsOfSsml('<speak>Hello <voice name="f3">brave\n world</voice></speak>')).toBe("Hello brave world");
    expect(wordsOfSsml("<speak>1 &lt; 2 &amp;amp; <![CDATA[<3]]> &#x4f60;<!-- no --></speak>")).toBe("1 < 2 &amp; <3 你");
  });
});

describe("a file of text", () => {
  it("is subtitles without their numbers and times", () => {
    expect(ofSubtitles("1\n00:00:01,000 --> 00:00:02,000\n<i>Hello</i>\nthere\n\n2\n00:00:03,000 --> 00:00:04,000\n再见\n")).toBe("Hello there\n再见");
  });

  it("is Markdown without its marks", () => {
    const written = "---\na: b\n---\n# A *title*\n\n- one [link](http://x)\n- **two** `three`\n\n```js\ncode();\n```\n![picture](x.png)2 * 3 * 4, snake_case_name";
    expect(ofMarkdown(written).trim()).toBe("A title\n\none link\ntwo three\n\n2 * 3 * 4, snake_case_name");
  });

  it("may be of an old Chinese editor", async () => {
    const file = new File([Uint8Array.from([0xc4, 0xe3, 0xba, 0xc3])], "old.txt");
    expect(await readTextFile(file)).toEqual({ state: "read", text: "你好" });
  });

  it.each([
    ["song.mp3", "x", "kind"],
    ["blank.txt", " \n", "empty"],
    ["big.txt", "x".repeat(1_000_001), "size"],
  ])("is refused with its reason: %s", async (name, content, reason) => {
    expect(await readTextFile(new File([content], name))).toEqual({ state: "refused", reason });
  });
});
