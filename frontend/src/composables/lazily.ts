/** A part of the studio that is fetched when it is first wanted, and then there at once. */
export interface Lazy<T> {
  /** Null while it has not arrived. */
  readonly now: () => T | null;
  /** Null where it could not be fetched; the next wish tries again. */
  readonly wanted: () => Promise<T | null>;
}

export function lazily<T>(load: () => Promise<T>): Lazy<T> {
  let here: T | null = null;
  let coming: Promise<T | null> | null = null;

  async function fetchOnce(): Promise<T | null> {
    try {
      here = await load();
    } catch (reason) {
      // Browsers say so of a module that the network did not bring.
      if (!(reason instanceof TypeError)) throw reason;
    } finally {
      coming = null;
    }
    return here;
  }

  return { now: () => here, wanted: () => (here === null ? (coming ??= fetchOnce()) : Promise.resolve(here)) };
}
