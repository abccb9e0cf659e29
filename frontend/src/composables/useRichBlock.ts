import { watch, type Ref } from "vue";
import { useI18n } from "vue-i18n";

import { highlighting, maths } from "@/composables/heavy";

const CODE = 'pre > code[class^="language-"]';

/** Draws the formulas of a block, colours the code that is nested in it and names its tables, once the block is done. */
export function useRichBlock(element: Ref<HTMLElement | null>, html: () => string, closed: () => boolean): void {
  const { t } = useI18n();
  watch(
    [element, html, closed],
    async ([block, shown, done]) => {
      if (block === null || !done) return;
      nameTables(block, t("chat.table"));
      const isCurrent = (): boolean => element.value === block && html() === shown;
      await drawFormulas(block, isCurrent);
      await colourCode(block, isCurrent);
    },
    // After the block's own HTML stands in the page.
    { flush: "post", immediate: true },
  );
}

/** What the keyboard can reach has a name. */
function nameTables(block: HTMLElement, name: string): void {
  for (const table of block.querySelectorAll(".table")) {
    table.setAttribute("role", "group");
    table.setAttribute("aria-label", name);
  }
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
