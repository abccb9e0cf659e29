/** How long what was deleted can be brought back from where it was. */
export const UNDO_MS = 10_000;
