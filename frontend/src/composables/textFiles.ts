/** Files whose text is to be spoken. */

export const TEXT_FILES = ".txt,.md,.markdown,.srt,text/plain,text/markdown";
export const TEXT_FILE_MAX_BYTES = 1_000_000;

const ENDING = /\.(txt|md|markdown|srt)$/i;

export type TextFile = { state: "read"; text: string } | { state: "refused"; reason: "kind" | "size" | "empty" };

/** The words of a text, Markdown or subtitle file, without what only marks them. */
export async function readTextFile(file: File): Promise<TextFile> {
  const ending = ENDING.exec(file.name)?.[1]?.toLowerCase();
  if (ending === undefined) return { state: "refused", reason: "kind" };
  if (file.size > TEXT_FILE_MAX_BYTES) return { state: "refused", reason: "size" };
  const written = decode(await file.arrayBuffer()).replace(/\r\n?/g, "\n");
  const text = (ending === "srt" ? ofSubtitles(written) : ending === "txt" ? written : ofMarkdown(written)).trim();
  return text === "" ? { state: "refused", reason: "empty" } : { state: "read", text };
}

/** UTF-8, or what Chinese editors wrote before it. */
function decode(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (reason) {
    if (!(reason instanceof TypeError)) throw reason;
    return new TextDecoder("gb18030").decode(bytes);
  }
}

/** Numbers and times dropped, the lines of a subtitle joined. */
export function ofSubtitles(text: string): string {
  return text
    .split(/\n\s*\n/)
    .map((block) =>
      block
        .split("\n")
        .filter((line) => !/^\s*\d+\s*$/.test(line) && !line.includes("-->"))
        .join(" ")
        .replace(/<[^>]+>|\{\\[^}]*\}/g, "")
        .trim(),
    )
    .filter((line) => line !== "")
    .join("\n");
}

/** Headings, lists, emphasis and links as plain words; code and pictures are not spoken. */
export function ofMarkdown(text: string): string {
  return text
    .replace(/^---\n[\s\S]*?\n---\n/, "")
    .replace(/^(```|~~~)[\s\S]*?^\1.*$/gm, "")
    .replace(/<!--[\s\S]*?-->/g, "")
    .replace(/!\[[^\]]*\]\([^)]*\)/g, "")
    .replace(/\[([^\]]+)\]\([^)]*\)/g, "$1")
    .replace(/^[ \t]{0,3}(#{1,6}|>|[-*+]|\d+[.)])[ \t]+/gm, "")
    .replace(/^[ \t]*([-*_][ \t]*){3,}$/gm, "")
    .replace(/(\*\*|__|~~|`)(.+?)\1/g, "$2")
    .replace(/(^|[\s(（])[*_](\S(?:[^*_\n]*\S)?)[*_](?=[\s.,;:!?)，。；：！？）]|$)/gm, "$1$2")
    .replace(/\n{3,}/g, "\n\n");
}
