/**
 * What the server would refuse in SSML, said while it is typed.
 *
 * Not by the browser's XML parser: of a broken document it makes a page with inline styles, which our policy reports.
 */

export type SsmlFault =
  /** A `<` that begins no tag, at this line. */
  | { kind: "tag"; line: number }
  /** A bare `&`. */
  | { kind: "entity"; line: number }
  | { kind: "open"; name: string }
  | { kind: "close"; name: string }
  | { kind: "root" }
  | { kind: "element"; name: string }
  | { kind: "attribute"; name: string; element: string };

const NAME = String.raw`[\p{L}_][\p{L}\p{N}:._-]*`;
const ATTRIBUTE = String.raw`\s+${NAME}\s*=\s*(?:"[^"<]*"|'[^'<]*')`;
const MARKUP = new RegExp(
  String.raw`<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!\[CDATA\[(?<literal>[\s\S]*?)\]\]>|</(?<closes>${NAME})\s*>|<(?<opens>${NAME})(?<attributes>(?:${ATTRIBUTE})*)\s*(?<empty>/?)>|(?<loose><)`,
  "gu",
);
const BARE_ENTITY = /&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[\da-f]+);)/i;

/** The first fault by the elements that the offer names; null where there is none. */
export function checkSsml(ssml: string, elements: Readonly<Record<string, readonly string[]>>): SsmlFault | null {
  const lineOf = (index: number): number => ssml.slice(0, index).split("\n").length;
  const open: string[] = [];
  let seen = false;
  for (const match of ssml.matchAll(MARKUP)) {
    const { closes, opens, attributes = "", empty, loose } = match.groups ?? {};
    if (loose !== undefined) return { kind: "tag", line: lineOf(match.index) };
    if (closes !== undefined && open.pop() !== closes) return { kind: "close", name: closes };
    if (opens === undefined) continue;
    if (!seen && opens !== "speak") return { kind: "root" };
    if (seen && open.length === 0) return { kind: "root" };
    seen = true;
    const fault = checkElement(opens, attributes, elements);
    if (fault !== null) return fault;
    if (empty !== "/") open.push(opens);
  }
  const unclosed = open.at(-1);
  if (unclosed !== undefined) return { kind: "open", name: unclosed };
  if (!seen || !ssml.trim().startsWith("<")) return { kind: "root" };
  const bare = BARE_ENTITY.exec(ssml.replace(/<!\[CDATA\[[\s\S]*?\]\]>|<!--[\s\S]*?-->/g, (hidden) => hidden.replace(/&/g, " ")));
  return bare === null ? null : { kind: "entity", line: lineOf(bare.index) };
}

function checkElement(name: string, attributes: string, elements: Readonly<Record<string, readonly string[]>>): SsmlFault | null {
  const known = elements[name];
  if (known === undefined) return { kind: "element", name };
  // Of <speak> any attribute is passed over: name spaces, version, schema.
  if (name === "speak") return null;
  const names = [...attributes.matchAll(new RegExp(String.raw`\s(${NAME})\s*=\s*(?:"[^"]*"|'[^']*')`, "gu"))].map((match) => match[1] ?? "");
  const odd = names.find((each) => !known.includes(each));
  return odd === undefined ? null : { kind: "attribute", name: odd, element: name };
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** What an SSML document says, without its marks. */
export function wordsOfSsml(ssml: string): string {
  return ssml
    .replace(MARKUP, (whole: string, literal: string | undefined) => literal ?? (whole === "<" ? "<" : ""))
    .replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal: string | undefined, hex: string | undefined, name: string | undefined) =>
      name === undefined ? character(decimal, hex) : (ENTITIES[name] ?? whole),
    )
    .replace(/\s+/g, " ")
    .trim();
}

function character(decimal: string | undefined, hex: string | undefined): string {
  const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
  return code <= 0x10_ffff ? String.fromCodePoint(code) : "";
}
