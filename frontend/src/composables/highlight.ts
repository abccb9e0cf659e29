/** Colours for code, in the languages that are asked for most; loaded with the first block of code. */

import DOMPurify from "dompurify";
import hljs from "highlight.js/lib/common";

import { Recent } from "@/composables/recent";

// Beyond this the colours cost more than they help.
const LENGTH_MAX = 60_000;
const coloured = new Recent<string | null>(200);

/** The code as HTML with classes; null for a language that is not known, or for very long code. */
export function highlight(code: string, language: string): string | null {
  if (code.length > LENGTH_MAX || hljs.getLanguage(language) === undefined) return null;
  return coloured.get(`${language}\n${code}`, () => {
    const { value } = hljs.highlight(code, { language, ignoreIllegals: true });
    return DOMPurify.sanitize(value, { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"] });
  });
}
