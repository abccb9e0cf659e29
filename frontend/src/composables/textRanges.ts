/** Where words stand in the page. */

// What stands in the page and is not what was said; formulas are drawn, not written.
const UNSAID = ".math, figcaption, button";
const LINES = new Set(["BLOCKQUOTE", "BR", "DIV", "H1", "H2", "H3", "H4", "H5", "H6", "LI", "P", "PRE", "TD", "TH"]);

/** The words as they were typed, in any case. */
export function patternOf(words: string): RegExp {
  return new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "giu");
}

export function countOf(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}

/** Each place below `root` where the pattern stands, also where it crosses elements; never across lines. */
export function rangesOf(root: Element, pattern: RegExp): Range[] {
  const { text, pieces } = piecesOf(root);
  return [...text.matchAll(pattern)].flatMap((match) => {
    const [from, to] = [placeOf(pieces, match.index), placeOf(pieces, match.index + match[0].length - 1)];
    if (from === null || to === null) return [];
    const range = document.createRange();
    range.setStart(from.node, from.offset);
    range.setEnd(to.node, to.offset + 1);
    return [range];
  });
}

interface Piece {
  readonly start: number;
  readonly node: Text;
}

function piecesOf(root: Element): { text: string; pieces: Piece[] } {
  const pieces: Piece[] = [];
  let text = "";
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (node) =>
    node instanceof Element && node.matches(UNSAID) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT,
  );
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    if (node instanceof Text) {
      pieces.push({ start: text.length, node });
      text += node.data;
    } else if (LINES.has(node.nodeName)) text += "\n";
  }
  return { text, pieces };
}

function placeOf(pieces: readonly Piece[], at: number): { node: Text; offset: number } | null {
  const piece = pieces.findLast(({ start }) => start <= at);
  if (piece === undefined || at - piece.start >= piece.node.length) return null;
  return { node: piece.node, offset: at - piece.start };
}
