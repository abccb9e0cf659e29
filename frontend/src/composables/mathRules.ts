/** Where maths is in a markdown text: `$…$`, `$$…$$`, `\(…\)` and `\[…\]`. What it looks like is not known here. */

import type MarkdownIt from "markdown-it";
import type StateBlock from "markdown-it/lib/rules_block/state_block.mjs";
import type StateInline from "markdown-it/lib/rules_inline/state_inline.mjs";

const DISPLAYED: Readonly<Record<string, string>> = { $$: "$$", "\\[": "\\]" };
const IN_LINE: Readonly<Record<string, string>> = { ...DISPLAYED, "\\(": "\\)" };
const INDENTED_CODE = 4;

export function mathRules(md: MarkdownIt): void {
  md.block.ruler.before("fence", "math", displayed, { alt: ["paragraph", "reference", "blockquote", "list"] });
  // Before the backslashes are taken for escapes.
  md.inline.ruler.before("escape", "math", inLine);
}

/** A formula on lines of its own. */
function displayed(state: StateBlock, firstLine: number, endLine: number, silent: boolean): boolean {
  if ((state.sCount[firstLine] ?? 0) - state.blkIndent >= INDENTED_CODE) return false;
  const opened = lineOf(state, firstLine);
  const close = DISPLAYED[opened.slice(0, 2)];
  if (close === undefined) return false;
  const found = linesUntil(state, close, [opened.slice(2)], firstLine, endLine);
  if (found === null) return false;
  if (silent) return true;
  const token = state.push("math_block", "math", 0);
  token.block = true;
  token.content = found.lines.join("\n").trim();
  token.map = [firstLine, found.nextLine];
  state.line = found.nextLine;
  return true;
}

/** The lines up to the closing mark; null where this is no formula. */
function linesUntil(state: StateBlock, close: string, lines: string[], firstLine: number, endLine: number): { lines: string[]; nextLine: number } | null {
  const alone = lines[0]?.trim() === "";
  for (let line = firstLine; line < endLine; line += 1) {
    const text = line === firstLine ? (lines[0] ?? "") : lineOf(state, line);
    const outside = line > firstLine && (state.sCount[line] ?? 0) < state.blkIndent && text !== "";
    // After an opening mark that stands alone, blank lines belong to the formula, as they do in a fence.
    if (outside || (!alone && text.trim() === "")) return null;
    if (line > firstLine) lines.push(text);
    const closedAt = text.indexOf(close);
    if (closedAt === -1) continue;
    // Something comes after it, so it is a part of a paragraph.
    if (text.slice(closedAt + close.length).trim() !== "") return null;
    lines[lines.length - 1] = text.slice(0, closedAt);
    return lines.some((each) => each.trim() !== "") ? { lines, nextLine: line + 1 } : null;
  }
  // Not closed: still being written, or never. Like a fence it then holds all that follows.
  return alone ? { lines, nextLine: endLine } : null;
}

function lineOf(state: StateBlock, line: number): string {
  return state.src.slice((state.bMarks[line] ?? 0) + (state.tShift[line] ?? 0), state.eMarks[line]);
}

/** A formula within a paragraph. */
function inLine(state: StateInline, silent: boolean): boolean {
  const { src, pos } = state;
  const two = src.slice(pos, pos + 2);
  const long = IN_LINE[two];
  const open = long === undefined ? "$" : two;
  if (!src.startsWith(open, pos)) return false;
  const close = long ?? "$";
  const start = pos + open.length;
  const end = indexOfUnescaped(src, close, start);
  if (end === -1 || end >= state.posMax) return false;
  const content = src.slice(start, end);
  if (!(open === "$" ? isFormula(content, src[end + 1] ?? "") : content.trim() !== "")) return false;
  if (!silent) {
    const token = state.push(open in DISPLAYED ? "math_block" : "math_inline", "math", 0);
    token.content = content.trim();
  }
  state.pos = end + close.length;
  return true;
}

/** One dollar is also money, or the mark of a variable: "from $5 to $10", "$HOME or `$PATH`". */
function isFormula(content: string, after: string): boolean {
  return /^[^\s`](?:[^`]*[^\s`])?$/.test(content) && !/[0-9A-Za-z]/.test(after);
}

function indexOfUnescaped(text: string, close: string, from: number): number {
  let at = text.indexOf(close, from);
  // A closing mark may begin with a backslash itself; before it, an odd number of them makes it a letter.
  while (at !== -1 && backslashesBefore(text, at) % 2 === 1) at = text.indexOf(close, at + 1);
  return at;
}

function backslashesBefore(text: string, at: number): number {
  let count = 0;
  while (text[at - 1 - count] === "\\") count += 1;
  return count;
}
