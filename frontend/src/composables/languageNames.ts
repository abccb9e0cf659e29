/** Languages by the names that people search for: in the page's language, in English and Chinese, and their own. */

import type { Voice } from "@/api/types";
import type { Choice } from "@/composables/searchChoices";
import { LOCALES, type Locale } from "@/i18n";

// Where the browser's own name says less than people do: its "cmn" is any Chinese.
const NAMES: Record<string, Record<Locale, string>> = {
  cmn: { en: "Chinese (Mandarin)", zh: "中文（普通话）" },
  "cmn-latn-pinyin": { en: "Chinese (Pinyin)", zh: "中文（普通话的拼音）" },
  yue: { en: "Chinese (Cantonese)", zh: "中文（粤语）" },
  hak: { en: "Chinese (Hakka)", zh: "中文（客家话）" },
};

/** The language's name; undefined where the browser has none. */
function nameOf(code: string, locale: string): string | undefined {
  try {
    return new Intl.DisplayNames([locale], { type: "language", fallback: "none" }).of(code);
  } catch (reason) {
    // Engines have codes that are no language tags, such as "piqd", or none that a browser knows.
    if (reason instanceof RangeError) return undefined;
    throw reason;
  }
}

/** The name to show: what the engine calls its voice where nobody else has a name. */
export function languageName(code: string, locale: Locale, voices: readonly Voice[] = []): string {
  return NAMES[code]?.[locale] ?? nameOf(code, locale) ?? voices.find((voice) => voice.language === code)?.name ?? code;
}

/** All languages to choose from, by name, those of the reader's browser first. */
export function languageChoices(
  codes: readonly string[],
  voices: readonly Voice[],
  locale: Locale,
  preferred: readonly string[] = navigator.languages,
): Choice[] {
  const rank = rankOf(preferred);
  return codes
    .map((code) => {
      const names = LOCALES.map((each) => languageName(code, each, voices));
      const spoken = voices.filter((voice) => voice.language === code).map((voice) => voice.name);
      return { value: code, label: languageName(code, locale, voices), words: [code, ...names, nameOf(code, code) ?? "", ...spoken].join(" ") };
    })
    .sort((a, b) => rank(a.value) - rank(b.value) || a.label.localeCompare(b.label, locale));
}

function rankOf(preferred: readonly string[]): (code: string) => number {
  const stems = [...new Set(preferred.map((tag) => stemOf(tag)))];
  return (code) => {
    const found = stems.indexOf(stemOf(code));
    return found === -1 ? stems.length : found;
  };
}

function stemOf(tag: string): string {
  const stem = tag.split("-")[0]?.toLowerCase() ?? tag;
  return stem === "cmn" ? "zh" : stem;
}
