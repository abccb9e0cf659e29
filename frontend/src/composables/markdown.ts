/** Markdown to safe HTML, block by block, so that a growing answer renders only its last block again. */

import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";
import type Token from "markdown-it/lib/token.mjs";

import { mathRules } from "@/composables/mathRules";

export type Block =
  | { readonly key: number; readonly kind: "html"; readonly html: string }
  | { readonly key: number; readonly kind: "code"; readonly language: string; readonly code: string };

const ALIGNMENT = /text-align:(left|center|right)/;

function createParser(): MarkdownIt {
  const md = new MarkdownIt({ html: false, linkify: true });
  // A picture in an answer would ask another server for it, and tell that server what was asked here.
  md.disable("image");
  md.core.ruler.push("no_inline_style", (state) => {
    // The page's policy forbids style attributes, and markdown-it aligns table cells with them.
    for (const token of state.tokens) {
      const align = ALIGNMENT.exec(token.attrGet("style") ?? "")?.[1];
      if (align === undefined) continue;
      token.attrs = (token.attrs ?? []).filter(([name]) => name !== "style");
      token.attrSet("class", `align-${align}`);
    }
  });
  md.use(mathRules);
  // The source, until the block is done and somebody draws it: composables/maths.ts.
  const math = (className: string) => (tokens: Token[], index: number): string =>
    `<span class="${className}">${md.utils.escapeHtml(tokens[index]?.content ?? "")}</span>`;
  md.renderer.rules["math_inline"] = math("math");
  md.renderer.rules["math_block"] = math("math displayed");
  // Wide tables scroll by themselves, also for who has only a keyboard.
  md.renderer.rules["table_open"] = () => '<div class="table" tabindex="0"><table>';
  md.renderer.rules["table_close"] = () => "</table></div>";
  md.renderer.rules["link_open"] = (tokens, index, options, _env, self) => {
    tokens[index]?.attrSet("target", "_blank");
    tokens[index]?.attrSet("rel", "noopener noreferrer nofollow");
    return self.renderToken(tokens, index, options);
  };
  return md;
}

const md = createParser();

interface Group {
  tokens: Token[];
  /** The line after the block, counted in the parsed text. */
  endLine: number;
}

function parseGroups(text: string): Group[] {
  const groups: Group[] = [];
  let open: Token[] = [];
  for (const token of md.parse(text, {})) {
    open.push(token);
    if (token.level === 0 && token.nesting !== 1) {
      groups.push({ tokens: open, endLine: Math.max(0, ...open.map((each) => each.map?.[1] ?? 0)) });
      open = [];
    }
  }
  return groups;
}

function render(group: Group, key: number): Block {
  const [first] = group.tokens;
  if (first !== undefined && (first.type === "fence" || first.type === "code_block")) {
    return { key, kind: "code", language: first.info.trim().split(/\s+/)[0] ?? "", code: first.content };
  }
  const html = md.renderer.render(group.tokens, md.options, {});
  return { key, kind: "html", html: DOMPurify.sanitize(html, { USE_PROFILES: { html: true }, ADD_ATTR: ["target"], FORBID_ATTR: ["style"] }) };
}

export interface Said {
  readonly code: boolean;
  /** Which formulas are taken for words. */
  readonly formula: (tex: string) => boolean;
}

/** How a text reads without its marks: what is said, line by line. */
export function plainText(text: string, { code, formula }: Said): string {
  const lines: string[] = [];
  for (const token of md.parse(text, {})) {
    if (token.type === "inline") lines.push(wordsOf(token.children ?? [], formula));
    else if (token.type === "math_block" && formula(token.content)) lines.push(token.content);
    else if ((token.type === "fence" || token.type === "code_block") && code) lines.push(token.content.trimEnd());
  }
  return lines.filter((line) => line !== "").join("\n");
}

function wordsOf(tokens: readonly Token[], formula: Said["formula"]): string {
  return tokens
    .map(({ type, content }) => {
      if (type === "softbreak" || type === "hardbreak") return "\n";
      if (type === "math_inline" || type === "math_block") return formula(content) ? content : "";
      return type === "text" || type === "code_inline" ? content : "";
    })
    .join("");
}

function offsetOfLine(text: string, line: number): number {
  let offset = 0;
  for (let i = 0; i < line && offset !== -1; i += 1) offset = text.indexOf("\n", offset) + 1 || -1;
  return offset === -1 ? text.length : offset;
}

/**
 * Renders a text that grows at its end.
 *
 * Of what markdown makes at the top level only the last block can still change (a paragraph may become a heading or
 * a table, a list may get an item), so all before it are kept as they are.
 */
export class GrowingMarkdown {
  private closed: Block[] = [];
  private closedText = "";

  /** The blocks of the text; those that did not change are the same objects as last time. */
  update(text: string): Block[] {
    if (!text.startsWith(this.closedText)) this.reset();
    const tail = text.slice(this.closedText.length);
    const groups = parseGroups(tail);
    const last = groups.pop();
    if (last === undefined) return this.closed;
    const closing = groups.at(-1);
    if (closing === undefined) return [...this.closed, render(last, this.closed.length)];
    this.closed = [...this.closed, ...groups.map((group, i) => render(group, this.closed.length + i))];
    this.closedText += tail.slice(0, offsetOfLine(tail, closing.endLine));
    return [...this.closed, render(last, this.closed.length)];
  }

  private reset(): void {
    this.closed = [];
    this.closedText = "";
  }
}
