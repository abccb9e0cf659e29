/** KaTeX under a policy that forbids style attributes: heavy, so it is loaded with the first formula. */

import "katex/dist/katex.min.css";

import DOMPurify from "dompurify";
import { ParseError, renderToString, type KatexOptions } from "katex";

import { Recent } from "@/composables/recent";

const OPTIONS: KatexOptions = {
  throwOnError: true,
  strict: "ignore",
  // Nothing that links, loads or names classes; and no macro that unfolds for ever.
  trust: false,
  maxExpand: 500,
  maxSize: 20,
};
// Its text would stand beside the formula: the sanitiser takes the element away, not the words in it.
const SOURCE = /<annotation encoding="application\/x-tex">[^<]*<\/annotation>/g;
const drawn = new Recent<string | null>(500);

/**
 * Put the formula into the element that holds its source. One that KaTeX does not understand stays as it was written.
 *
 * KaTeX says where each sign stands in style attributes. Parsed from a string they would break the page's policy, so
 * they travel under another name and are set one by one, which the policy allows.
 */
export function drawFormula(element: HTMLElement): void {
  const html = htmlOf(element.textContent, element.classList.contains("displayed"));
  if (html === null) {
    element.classList.add("unread");
    return;
  }
  element.innerHTML = html;
  for (const placed of element.querySelectorAll<HTMLElement | SVGElement>("[data-style]")) {
    placed.style.cssText = placed.dataset["style"] ?? "";
    placed.removeAttribute("data-style");
  }
  element.classList.add("drawn");
}

/** Sanitised HTML and MathML (for screen readers), its styles as `data-style`; null for what is not TeX. */
export function htmlOf(tex: string, displayMode: boolean): string | null {
  return drawn.get(`${displayMode}${tex}`, () => {
    try {
      const html = renderToString(tex, { ...OPTIONS, displayMode }).replace(SOURCE, "").replaceAll(' style="', ' data-style="');
      return DOMPurify.sanitize(html, { USE_PROFILES: { html: true, mathMl: true, svg: true }, FORBID_ATTR: ["style"] });
    } catch (reason) {
      if (!(reason instanceof ParseError)) throw reason;
      return null;
    }
  });
}
