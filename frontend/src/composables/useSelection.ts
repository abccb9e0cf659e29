import { shallowRef, toValue, type MaybeRefOrGetter, type ShallowRef } from "vue";

export interface UseSelection {
  selected: ShallowRef<ReadonlySet<string>>;
  /** Take it in or out; what is taken next with `extendTo` begins here. */
  turn: (id: string) => void;
  /** Take in all from where the last turn was to here. */
  extendTo: (id: string) => void;
  set: (ids: Iterable<string>) => void;
  clear: () => void;
}

/** Which things of a list are selected, as people know it from files: one, a range, all. */
export function useSelection(order: MaybeRefOrGetter<readonly { id: string }[]>): UseSelection {
  const selected = shallowRef<ReadonlySet<string>>(new Set());
  let anchor: string | null = null;

  function turn(id: string): void {
    const wanted = new Set(selected.value);
    if (!wanted.delete(id)) wanted.add(id);
    selected.value = wanted;
    anchor = id;
  }

  function extendTo(id: string): void {
    const all = toValue(order);
    const from = all.findIndex((each) => each.id === anchor);
    const to = all.findIndex((each) => each.id === id);
    if (from === -1 || to === -1) {
      turn(id);
      return;
    }
    const range = all.slice(Math.min(from, to), Math.max(from, to) + 1);
    selected.value = new Set([...selected.value, ...range.map((each) => each.id)]);
  }

  function set(ids: Iterable<string>): void {
    selected.value = new Set(ids);
  }

  function clear(): void {
    selected.value = new Set();
    anchor = null;
  }

  return { selected, turn, extendTo, set, clear };
}
