import { describe, expect, it } from "vitest";

import { readText, splitFiles, withFiles } from "@/composables/attachedFiles";

const NOTES = { name: "notes.md", text: "# Notes\n\n```js\nlet a;\n```\n" };
const TABLE = { name: "a table.csv", text: "a,b\r\n1,2" };

describe("files in a question", () => {
  it.each([
    ["What is it?", [NOTES]],
    ["What is it?\n\nIn two lines.", [NOTES, TABLE]],
    ["", [TABLE]],
    ["Nothing with it", []],
    ["Quotes it", [{ name: "asked.txt", text: withFiles("Before", [NOTES]) }]],
  ])("%j come back as they were", (words, files) => {
    expect(splitFiles(withFiles(words, files))).toEqual({ words, files });
  });

  it("stand in a fence that nothing in them closes", () => {
    expect(withFiles("Why?", [NOTES])).toBe("Why?\n\nAttached file: notes.md\n````md\n# Notes\n\n```js\nlet a;\n```\n\n````");
  });

  it.each(["Attached file: x\nbut no fence", "Attached file: x\n```\nnever closed", "Attached file: x\n```\na\n```\nand words after it"])("%j is what somebody wrote", (content) => {
    expect(splitFiles(content)).toEqual({ words: content, files: [] });
  });

  it("keep their name on one line", () => {
    expect(splitFiles(withFiles("", [{ name: "a\nb.txt", text: "c" }])).files).toEqual([{ name: "a b.txt", text: "c" }]);
  });
});

describe("a file", () => {
  const read = (bytes: number[]): Promise<string | null> => readText(new File([new Uint8Array(bytes)], "x"));

  it("is read as UTF-8, its mark left out", async () => {
    expect(await read([0xef, 0xbb, 0xbf, 0xe4, 0xbd, 0xa0])).toBe("你");
  });

  it("that is no text is refused", async () => {
    expect(await read([0x89, 0x50, 0x4e, 0x47])).toBeNull();
    expect(await read([0x61, 0, 0x62, 0])).toBeNull();
  });
});
