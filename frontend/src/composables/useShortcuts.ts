import { tryOnScopeDispose, useEventListener, useLocalStorage } from "@vueuse/core";
import { defineStore } from "pinia";
import { computed, shallowReactive, toValue, type MaybeRefOrGetter } from "vue";

import { isCharacter, matches, parseKeys, type Chord } from "@/composables/keys";

export interface Shortcut {
  /** As `keys.ts` reads them: "mod+k", "?", "g c". */
  keys: string;
  /** What it does: the message key of a short sentence. */
  does: string;
  act: (event: KeyboardEvent) => void;
  /** Only for keys that are pressed in here, and there also while typing. */
  within?: MaybeRefOrGetter<HTMLElement | null>;
  /** Whether it would do anything now; without, always. */
  when?: () => boolean;
}

export interface ShortcutGroup {
  /** The message key of its heading. */
  title: string;
  shortcuts: readonly Shortcut[];
}

/** Between the keys of a sequence. */
const NEXT_KEY_MS = 1200;
const TYPED_INTO = 'input:not([type="checkbox"], [type="radio"], [type="range"], [type="button"]), textarea, select, [contenteditable="true"]';

/** All shortcuts that are bound now, and the one listener that acts on them. The sheet lists just these. */
export const useShortcutBoard = defineStore("shortcuts", () => {
  const groups = shallowReactive(new Set<ShortcutGroup>());
  /** Single characters can be turned off: by speech input, or a hand that slips, they come unmeant (WCAG 2.1.4). */
  const characters = useLocalStorage("studio.characterKeys", true);
  const listed = computed(() => merge([...groups]));

  let pressed: readonly KeyboardEvent[] = [];
  let lastAt = 0;

  function add(group: ShortcutGroup): () => void {
    groups.add(group);
    return () => groups.delete(group);
  }

  function pick(event: KeyboardEvent): Shortcut | undefined {
    const typing = event.target instanceof Element && event.target.closest(TYPED_INTO) !== null;
    // Behind a modal dialog nothing of the page acts.
    const modal = document.querySelector("dialog[open]") !== null;
    // What was bound last is nearest: a page goes before the frame.
    return [...groups]
      .flatMap((group) => group.shortcuts)
      .reverse()
      .find((shortcut) => {
        const chords = parseKeys(shortcut.keys);
        if (!endsWith(pressed, chords) || shortcut.when?.() === false) return false;
        if (shortcut.within !== undefined) return isWithin(event, toValue(shortcut.within));
        return !modal && (!chords.some(isCharacter) || characters.value) && (!typing || chords.every((chord) => chord.mod));
      });
  }

  useEventListener(window, "keydown", (event) => {
    // A press that ends a choice in an input method belongs to that.
    if (event.defaultPrevented || event.isComposing || ["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
    pressed = event.timeStamp - lastAt > NEXT_KEY_MS ? [event] : [...pressed.slice(-1), event];
    lastAt = event.timeStamp;
    const shortcut = pick(event);
    if (shortcut === undefined) return;
    pressed = [];
    event.preventDefault();
    shortcut.act(event);
  });

  return { listed, characters, add };
});

/** Bind these for as long as the component lives; the sheet lists them under `title`, a message key. */
export function useShortcuts(title: string, shortcuts: readonly Shortcut[]): void {
  tryOnScopeDispose(useShortcutBoard().add({ title, shortcuts }));
}

function endsWith(pressed: readonly KeyboardEvent[], chords: readonly Chord[]): boolean {
  const last = pressed.slice(-chords.length);
  return last.length === chords.length && chords.every((chord, index) => matches(chord, last[index] as KeyboardEvent));
}

function isWithin(event: KeyboardEvent, element: HTMLElement | null): boolean {
  return element !== null && event.target instanceof Node && element.contains(event.target);
}

/** Groups with one heading as one; what several components bind alike, once. */
function merge(groups: readonly ShortcutGroup[]): readonly ShortcutGroup[] {
  const merged = new Map<string, Map<string, Shortcut>>();
  for (const { title, shortcuts } of groups) {
    const known = merged.get(title) ?? new Map<string, Shortcut>();
    for (const shortcut of shortcuts) known.set(`${shortcut.keys} ${shortcut.does}`, shortcut);
    merged.set(title, known);
  }
  return [...merged].map(([title, shortcuts]) => ({ title, shortcuts: [...shortcuts.values()] }));
}
