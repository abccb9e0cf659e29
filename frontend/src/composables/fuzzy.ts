/** Finding by a few letters, in any script. */

const SUBSTRING = 100;
const WORD_START = 40;
const SCATTERED = 30;

/** How well `text` answers `query`, the higher the better; null when it does not. Each word of the query must be found. */
export function fuzzyScore(query: string, text: string): number | null {
  const words = plain(query).split(/\s+/).filter((word) => word !== "");
  const where = plain(text);
  let total = 0;
  for (const word of words) {
    const score = scoreOf(word, where);
    if (score === null) return null;
    total += score;
  }
  return total;
}

/** Small letters without accents; full-width ones as narrow ones. */
function plain(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

function scoreOf(word: string, text: string): number | null {
  const at = text.indexOf(word);
  if (at >= 0) return SUBSTRING + (startsWord(text, at) ? WORD_START : 0) - Math.min(at, SCATTERED);
  const gaps = gapsOf(word, text);
  return gaps === null || gaps > SCATTERED ? null : SCATTERED - gaps;
}

/** A word begins after anything but a letter or digit; in Chinese every sign may begin one. */
function startsWord(text: string, at: number): boolean {
  return at === 0 || !/[\p{L}\p{N}]/u.test(text.charAt(at - 1)) || /\p{Script=Han}/u.test(text.charAt(at));
}

/** How many letters of the text lie between those of the word, in order; null when they are not all there. */
function gapsOf(word: string, text: string): number | null {
  let gaps = 0;
  let from = -1;
  for (const letter of word) {
    const at = text.indexOf(letter, from + 1);
    if (at < 0) return null;
    if (from >= 0) gaps += at - from - 1;
    from = at;
  }
  return gaps;
}
