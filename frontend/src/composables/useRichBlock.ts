import { watch, type Ref } from "vue";

import { highlighting, maths } from "@/composables/heavy";

const CODE = 'pre > code[class^="language-"]';

/** Draws the formulas of a block and colours the code that is nested in it, once the block is done. */
export function useRichBlock(element: Ref<HTMLElement | null>, html: () => string, closed: () => boolean): void {
  watch(
    [element, html, closed],
    async ([block, shown, done]) => {
      if (block === null || !done) return;
      const isCurrent = (): boolean => element.value === block && html() === shown;
      await drawFormulas(block, isCurrent);
      await colourCode(block, isCurrent);
    },
    // After the block's own HTML stands in the page.
    { flush: "post", immediate: true },
  );
}

async function drawFormulas(block: HTMLElement, isCurrent: () => boolean): Promise<void> {
  const formulas = (): NodeListOf<HTMLElement> => block.querySelectorAll(".math:not(.drawn, .unread)");
  if (formulas().length === 0) return;
  const loaded = maths.now() ?? (await maths.wanted());
  if (loaded !== null && isCurrent()) formulas().forEach(loaded.drawFormula);
}

async function colourCode(block: HTMLElement, isCurrent: () => boolean): Promise<void> {
  const codes = block.querySelectorAll<HTMLElement>(CODE);
  if (codes.length === 0) return;
  const loaded = highlighting.now() ?? (await highlighting.wanted());
  if (loaded === null || !isCurrent()) return;
  for (const code of codes) {
    const html = loaded.highlight(code.textContent, code.className.replace("language-", ""));
    if (html !== null) code.innerHTML = html;
  }
}
