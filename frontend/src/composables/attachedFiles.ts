/** Text files in a question: how the model reads them, and how they are found again in what was asked. */

export interface TextFile {
  readonly name: string;
  readonly text: string;
}

/** What may be attached; where nothing of this list is said, any file that turns out to be text. */
export const TEXT_TYPES = [
  "text/*", ".bat", ".c", ".cfg", ".conf", ".cpp", ".cs", ".css", ".csv", ".go", ".h", ".html", ".ini", ".java", ".js", ".json", ".jsonl", ".kt", ".log",
  ".lua", ".md", ".php", ".pl", ".ps1", ".py", ".r", ".rb", ".rs", ".rst", ".sh", ".sql", ".srt", ".svg", ".swift", ".tex", ".toml", ".ts", ".tsv", ".txt",
  ".vue", ".xml", ".yaml", ".yml",
].join(",");

/** How many files, and how many characters they and the words of the question may have together. */
export const FILES_MAX = 10;
export const QUESTION_MAX = 200_000;
const BYTES_PER_CHARACTER = 4;
const FENCE_MIN = 3;

// Written into what is stored, so it is the same in every language.
const HEADING = "Attached file: ";
const OPENING = /^(`{3,})[\w+#-]*$/;

/** The question as the model reads it: the words, then each file in a fence that nothing in it can close. */
export function withFiles(words: string, files: readonly TextFile[]): string {
  return [words.trim(), ...files.map(fenced)].filter((part) => part !== "").join("\n\n");
}

function fenced({ name, text }: TextFile): string {
  const longest = Math.max(FENCE_MIN - 1, ...[...text.matchAll(/`+/g)].map((run) => run[0].length));
  const fence = "`".repeat(longest + 1);
  const extension = /\.([\w+#-]+)$/.exec(name)?.[1] ?? "";
  return `${HEADING}${name.replace(/\s+/g, " ")}\n${fence}${extension}\n${text}\n${fence}`;
}

/** The words and the files of a question. */
export function splitFiles(content: string): { words: string; files: TextFile[] } {
  if (!content.includes(HEADING)) return { words: content, files: [] };
  const lines = content.split("\n");
  for (const [start, line] of lines.entries()) {
    const files = line.startsWith(HEADING) ? filesFrom(lines, start) : null;
    if (files !== null) return { words: lines.slice(0, start).join("\n").trimEnd(), files };
  }
  return { words: content, files: [] };
}

/** The files that fill these lines to the end; null where anything else stands there. */
function filesFrom(lines: readonly string[], start: number): TextFile[] | null {
  const files: TextFile[] = [];
  let at = start;
  while (at < lines.length) {
    const fence = OPENING.exec(lines[at + 1] ?? "")?.[1];
    const heading = lines[at] ?? "";
    if (fence === undefined || !heading.startsWith(HEADING)) return null;
    const end = lines.indexOf(fence, at + 2);
    if (end === -1) return null;
    files.push({ name: heading.slice(HEADING.length), text: lines.slice(at + 2, end).join("\n") });
    // Between two files is one empty line.
    if (end + 1 < lines.length && lines[end + 1] !== "") return null;
    at = end + 2;
  }
  return files;
}

/** Its text; null for what is no text. Files of another encoding are none: guessed letters would be worse. */
export async function readText(file: File): Promise<string | null> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    return text.includes("\0") ? null : text;
  } catch (reason) {
    // The decoder's own way to say so.
    if (!(reason instanceof TypeError)) throw reason;
    return null;
  }
}

/** Whether it can be too long only, so that it need not be read. */
export function isHopeless(file: File): boolean {
  return file.size > QUESTION_MAX * BYTES_PER_CHARACTER;
}
