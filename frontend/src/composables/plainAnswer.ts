/** What an answer says without its marks: for ears, and for a prompt. */

import { markdown } from "@/composables/heavy";

// The voice jobs' own limit, and what a painter still reads.
const SPOKEN_MAX = 50_000;
const PROMPT_MAX = 1000;
// "x" and "a < b" can be said as they stand; commands and braces cannot.
const TEX = /[\\{}]/;

/** The words to read aloud; code and formulas that cannot be said are left out. */
export async function spokenText(content: string): Promise<string> {
  return (await plain(content)).slice(0, SPOKEN_MAX);
}

/** The words as a prompt for a picture, cut between two words. */
export async function promptOf(content: string): Promise<string> {
  const text = (await plain(content)).replace(/\s+/g, " ").trim();
  if (text.length <= PROMPT_MAX) return text;
  const cut = text.slice(0, PROMPT_MAX);
  const end = cut.lastIndexOf(" ");
  return end > PROMPT_MAX / 2 ? cut.slice(0, end) : cut;
}

async function plain(content: string): Promise<string> {
  const loaded = markdown.now() ?? (await markdown.wanted());
  return loaded?.plainText(content, { code: false, formula: (tex) => !TEX.test(tex) }) ?? content;
}
