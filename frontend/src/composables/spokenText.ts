/** Which part of a text is heard when: its words where their times are known, else its sentences. */

import type { SpokenSentence } from "@/api/events";
import type { SpokenWord } from "@/api/types";

/** `text[start:end]` is heard from `startS` to `endS`. */
export interface Mark {
  readonly start: number;
  readonly end: number;
  readonly startS: number;
  readonly endS: number;
}

/** A stretch of the text that is painted as one until it is spoken: about a sentence. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly marks: readonly Mark[];
}

const MARKS_MAX = 40;
const SENTENCE_END = /[.!?…。！？；\n]/;

/** Where the words of a finished file stand in the text; a word that is written otherwise than spoken is left out. */
export function marksOfWords(text: string, words: readonly SpokenWord[]): Mark[] {
  const marks: Mark[] = [];
  let from = 0;
  for (const word of words) {
    const start = text.indexOf(word.text, from);
    // Far ahead it is another one of the same spelling.
    if (word.text === "" || start === -1 || start - from > 200) continue;
    from = start + word.text.length;
    marks.push({ start, end: from, startS: word.start_s, endS: word.end_s });
  }
  return marks;
}

/** Where the sentences that have arrived stand in the text, by their words where those are known. */
export function marksOfSentences(text: string, sentences: readonly SpokenSentence[]): Mark[] {
  const marks: Mark[] = [];
  let from = 0;
  let startS = 0;
  for (const sentence of sentences) {
    const place = find(text, sentence.text, from);
    const endS = startS + sentence.duration_s;
    if (place !== null) {
      const words = marksOfWords(text.slice(place.start, place.end), sentence.words ?? []);
      const shift = startS;
      if (words.length > 0) marks.push(...words.map((each) => shifted(each, place.start, shift)));
      else marks.push({ ...place, startS, endS });
      from = place.end;
    }
    startS = endS;
  }
  return marks;
}

function shifted(mark: Mark, characters: number, seconds: number): Mark {
  return { start: mark.start + characters, end: mark.end + characters, startS: mark.startS + seconds, endS: mark.endS + seconds };
}

/** Engines fold white space into one space; the text as it was typed may have lines. */
function find(text: string, sentence: string, from: number): { start: number; end: number } | null {
  const plain = text.indexOf(sentence, from);
  if (plain !== -1) return { start: plain, end: plain + sentence.length };
  const pattern = sentence.split(/\s+/).map(escaped).join("\\s+");
  const expression = new RegExp(pattern, "g");
  expression.lastIndex = from;
  const match = expression.exec(text);
  return match === null ? null : { start: match.index, end: match.index + match[0].length };
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** The whole text in stretches: each begins with a mark, and reaches to the next one's. */
export function stretchesOf(text: string, marks: readonly Mark[]): Stretch[] {
  const stretches: Stretch[] = [];
  let group: Mark[] = [];
  const close = (end: number): void => {
    stretches.push({ start: stretches.at(-1)?.end ?? 0, end, marks: group });
    group = [];
  };
  for (const [index, mark] of marks.entries()) {
    const last = marks[index - 1];
    const ended = last !== undefined && SENTENCE_END.test(text.slice(last.end, mark.start));
    if (group.length > 0 && (ended || group.length >= MARKS_MAX)) close(mark.start);
    group.push(mark);
  }
  const last = marks.at(-1);
  if (last !== undefined) close(endOfSentence(text, last.end));
  const spoken = stretches.at(-1)?.end ?? 0;
  if (spoken < text.length) stretches.push({ start: spoken, end: text.length, marks: [] });
  return stretches;
}

function endOfSentence(text: string, from: number): number {
  const rest = /^[^\s\p{L}\p{N}]*/u.exec(text.slice(from));
  return from + (rest?.[0].length ?? 0);
}

/** The last mark that has begun by then; -1 before the first. */
export function markAt(marks: readonly Mark[], seconds: number): number {
  let low = 0;
  let high = marks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((marks[middle]?.startS ?? 0) <= seconds) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
