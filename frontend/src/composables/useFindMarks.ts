import { useMutationObserver } from "@vueuse/core";
import { onScopeDispose, watch, type Ref } from "vue";

import { rangesOf } from "@/composables/textRanges";
import type { Hit, UseFind } from "@/composables/useFind";

// The names that the style sheet paints.
const ALL = "found";
const CURRENT = "found-current";
// How long rows that scroll into sight may still be measured and move.
const SETTLING_FRAMES = 40;
const STILL_FRAMES = 4;
const MARGIN_PX = 60;

const ID = "turn-";

/** The id of a row of the thread; what was said in it has the class `said`. */
export function turnId(turn: number): string {
  return ID + String(turn);
}

export function turnOf(row: Element): number {
  return Number(row.id.slice(ID.length));
}

/**
 * Marks what was found in the rows that are there, and brings the current hit into view.
 *
 * Highlights belong to the page, not to its elements: nothing is changed in what Vue has painted.
 */
export function useFindMarks(find: UseFind, scroller: Ref<HTMLElement | null>, showTurn: (turn: number) => void): void {
  // Old browsers have no highlights; there the hits are only scrolled to.
  const marks = (CSS as { highlights?: HighlightRegistry }).highlights;
  let frame = 0;
  let journey = 0;

  function current(): Hit | undefined {
    return find.pattern.value === null ? undefined : find.hits.value[find.at.value];
  }

  /** The current hit in the page, where its row is there. */
  function paint(): Range | null {
    const pattern = find.pattern.value;
    const root = scroller.value;
    marks?.delete(ALL);
    marks?.delete(CURRENT);
    if (pattern === null || root === null) return null;
    const hit = current();
    const all: Range[] = [];
    let range: Range | null = null;
    for (const row of root.querySelectorAll(".turn")) {
      const inRow = [...row.querySelectorAll(".said")].flatMap((each) => rangesOf(each, pattern));
      all.push(...inRow);
      if (hit !== undefined && turnOf(row) === hit.turn) range = inRow[hit.nth] ?? inRow.at(-1) ?? null;
    }
    marks?.set(ALL, new Highlight(...all));
    if (range !== null) {
      const mark = new Highlight(range);
      mark.priority = 1;
      marks?.set(CURRENT, mark);
    }
    return range;
  }

  function paintSoon(): void {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => {
      paint();
    });
  }

  /** Whether it was in view already. */
  function bringIntoView(range: Range): boolean {
    const root = scroller.value;
    if (root === null) return true;
    const [view, place] = [root.getBoundingClientRect(), range.getBoundingClientRect()];
    // In code or a table that scrolls by itself.
    if (place.left < view.left || place.right > view.right) range.startContainer.parentElement?.scrollIntoView({ block: "nearest", inline: "center" });
    if (place.top >= view.top + MARGIN_PX && place.bottom <= view.bottom - MARGIN_PX) return true;
    const before = root.scrollTop;
    root.scrollTop += place.top - view.top - view.height / 2;
    // At the very top or end it cannot come any nearer.
    return root.scrollTop === before;
  }

  async function goTo(hit: Hit): Promise<void> {
    const mine = (journey += 1);
    if (paint() === null) showTurn(hit.turn);
    let still = 0;
    for (let n = 0; n < SETTLING_FRAMES && still < STILL_FRAMES && mine === journey; n += 1) {
      const range = paint();
      still = range !== null && bringIntoView(range) ? still + 1 : 0;
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  }

  watch([find.hits, find.at], () => {
    const hit = current();
    if (hit === undefined) paint();
    else void goTo(hit);
  });
  watch(find.pattern, paintSoon);
  useMutationObserver(
    scroller,
    () => {
      if (find.pattern.value !== null) paintSoon();
    },
    { childList: true, subtree: true, characterData: true },
  );
  onScopeDispose(() => {
    cancelAnimationFrame(frame);
    marks?.delete(ALL);
    marks?.delete(CURRENT);
  });
}
