/** Keys as shortcuts write them: "mod+k", "?", "Escape", and "g c" for one after the other. */

/** One press: a key with what is held down. */
export interface Chord {
  readonly key: string;
  /** Ctrl, on a Mac ⌘. */
  readonly mod: boolean;
  readonly shift: boolean;
  readonly alt: boolean;
}

export const isMac = /Macintosh|iPhone|iPad/.test(navigator.userAgent);

const NAMES: Record<string, string> = { escape: "Esc", enter: "↵", arrowleft: "←", arrowright: "→", arrowup: "↑", arrowdown: "↓", " ": "␣" };

export function parseKeys(keys: string): readonly Chord[] {
  return keys.split(" ").map((text) => {
    const parts = text.toLowerCase().split("+");
    const held = parts.slice(0, -1);
    return { key: parts.at(-1) ?? "", mod: held.includes("mod"), shift: held.includes("shift"), alt: held.includes("alt") };
  });
}

/** Whether it is typed like a letter: such a shortcut must not act in a text field, and can be turned off. */
export function isCharacter(chord: Chord): boolean {
  return chord.key.length === 1 && !chord.mod && !chord.alt;
}

export function matches(chord: Chord, event: KeyboardEvent, mac = isMac): boolean {
  const [mod, other] = mac ? [event.metaKey, event.ctrlKey] : [event.ctrlKey, event.metaKey];
  if (chord.key !== event.key.toLowerCase() || chord.mod !== mod || other || chord.alt !== event.altKey) return false;
  // On some keyboards Shift is what makes a "?" or "/"; on none does it make another letter.
  const shiftTells = chord.key.length > 1 || /[a-z0-9]/.test(chord.key);
  return !shiftTells || chord.shift === event.shiftKey;
}

/** The caps to press, for each chord of the keys. */
export function capsOf(keys: string, mac = isMac): readonly (readonly string[])[] {
  return parseKeys(keys).map(({ key, mod, shift, alt }) => [
    ...(mod ? [mac ? "⌘" : "Ctrl"] : []),
    ...(alt ? [mac ? "⌥" : "Alt"] : []),
    ...(shift ? [mac ? "⇧" : "Shift"] : []),
    NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key.charAt(0).toUpperCase() + key.slice(1)),
  ]);
}

/** In one line, as a tooltip says it: "Ctrl K". */
export function keysLine(keys: string, mac = isMac): string {
  return capsOf(keys, mac)
    .map((caps) => caps.join(" "))
    .join(" ");
}
