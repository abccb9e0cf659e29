import { refDebounced } from "@vueuse/core";
import { computed, ref, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from "vue";

import { splitFiles } from "@/composables/attachedFiles";
import { markdown } from "@/composables/heavy";
import type { ShownMessage } from "@/composables/outbox";
import { countOf, patternOf } from "@/composables/textRanges";

// What a long conversation may take of one frame.
const SLICE_MS = 8;
const TYPING_MS = 120;

/** One place where the words stand: the how many-th in which message of the branch. */
export interface Hit {
  readonly turn: number;
  readonly nth: number;
}

export interface UseFind {
  isOpen: Ref<boolean>;
  words: Ref<string>;
  /** What is looked for now; null for nothing. */
  pattern: ComputedRef<RegExp | null>;
  hits: ShallowRef<readonly Hit[]>;
  /** Index of the hit that the reader is at. */
  at: Ref<number>;
  searching: Ref<boolean>;
  open: () => void;
  close: () => void;
  /** To the next hit, or with -1 to the one before; round at the ends. */
  step: (by: 1 | -1) => void;
}

/** Find words in a conversation: the browser's own search sees only the messages near the view. */
export function useFind(path: () => readonly ShownMessage[], firstInView: () => number): UseFind {
  const isOpen = ref(false);
  const words = ref("");
  const settled = refDebounced(words, TYPING_MS);
  const pattern = computed(() => (isOpen.value && settled.value.trim() !== "" ? patternOf(settled.value.trim()) : null));
  const hits = shallowRef<readonly Hit[]>([]);
  const at = ref(0);
  const searching = ref(false);
  // By what was written: the same text is read once.
  const said = new Map<string, string>();
  let turn = 0;

  async function saidIn(message: ShownMessage): Promise<string> {
    // Attached files are folded; what cannot be seen is not found.
    if (message.role === "user") return splitFiles(message.content).words;
    const known = said.get(message.content);
    if (known !== undefined) return known;
    const loaded = markdown.now() ?? (await markdown.wanted());
    const text = loaded?.plainText(message.content, { code: true, formula: () => false }) ?? message.content;
    if (loaded !== null) said.set(message.content, text);
    return text;
  }

  /** All hits, or null when something else is looked for meanwhile. */
  async function look(wanted: RegExp): Promise<Hit[] | null> {
    const mine = (turn += 1);
    const found: Hit[] = [];
    let sliceEnd = performance.now() + SLICE_MS;
    for (const [index, message] of path().entries()) {
      const count = countOf(await saidIn(message), wanted);
      for (let nth = 0; nth < count; nth += 1) found.push({ turn: index, nth });
      if (performance.now() < sliceEnd) continue;
      await new Promise((resolve) => setTimeout(resolve));
      if (mine !== turn) return null;
      sliceEnd = performance.now() + SLICE_MS;
    }
    return mine === turn ? found : null;
  }

  async function search(wanted: RegExp | null, first: () => number): Promise<void> {
    if (wanted === null) {
      turn += 1;
      hits.value = [];
      searching.value = false;
      return;
    }
    searching.value = true;
    const found = await look(wanted);
    if (found === null) return;
    searching.value = false;
    hits.value = found;
    at.value = first();
  }

  watch(pattern, (wanted) => {
    void search(wanted, () => {
      const visible = firstInView();
      return Math.max(0, hits.value.findIndex((hit) => hit.turn >= visible));
    });
  });
  watch(path, () => {
    if (pattern.value !== null) void search(pattern.value, () => Math.min(at.value, Math.max(0, hits.value.length - 1)));
  });

  function step(by: 1 | -1): void {
    const count = hits.value.length;
    if (count > 0) at.value = (at.value + by + count) % count;
  }

  function open(): void {
    isOpen.value = true;
  }

  function close(): void {
    isOpen.value = false;
  }

  return { isOpen, words, pattern, hits, at, searching, open, close, step };
}
