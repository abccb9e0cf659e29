import { computed, ref, shallowRef, toValue, watch, type ComputedRef, type MaybeRefOrGetter, type Ref, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { NO_BOARD, listPictures, type PictureChange, type PictureFilter } from "@/api/pictures";
import type { Picture } from "@/api/types";

export interface UsePictureList {
  /** Newest first. */
  items: ShallowRef<readonly Picture[]>;
  state: Ref<"loading" | "ready" | "failed">;
  error: ShallowRef<ApiError | null>;
  hasMore: ComputedRef<boolean>;
  /** Pictures that have arrived and are not shown yet, so that nothing moves under the reader. */
  waiting: ShallowRef<readonly Picture[]>;
  load: () => Promise<void>;
  more: () => Promise<void>;
  /** Look for pictures that are newer than the first one; how many there are that were not known. */
  lookForNew: () => Promise<number>;
  /** Show what has arrived. */
  showWaiting: () => void;
  /** Change rows here; those that do not match the filter any more leave. */
  change: (ids: ReadonlySet<string>, change: PictureChange) => void;
  remove: (ids: ReadonlySet<string>) => void;
  /** Put rows back where they were. */
  put: (pictures: readonly Picture[]) => void;
}

/** The pictures that match a filter, page by page. */
export function usePictureList(filter: MaybeRefOrGetter<PictureFilter>): UsePictureList {
  const items = shallowRef<readonly Picture[]>([]);
  const waiting = shallowRef<readonly Picture[]>([]);
  const next = shallowRef<string | null>(null);
  const state = ref<"loading" | "ready" | "failed">("loading");
  const error = shallowRef<ApiError | null>(null);
  const hasMore = computed(() => next.value !== null);

  /** Counts the lists: an answer for one that is not looked at any more is dropped. */
  let looking = 0;
  /** More has arrived than one page holds: showing it reads the list again. */
  let gap = false;

  async function load(): Promise<void> {
    looking += 1;
    gap = false;
    waiting.value = [];
    next.value = null;
    await read(null);
  }

  async function more(): Promise<void> {
    if (next.value !== null && state.value !== "loading") await read(next.value);
  }

  async function read(cursor: string | null): Promise<void> {
    const mine = looking;
    state.value = "loading";
    try {
      const page = await listPictures(toValue(filter), cursor);
      if (mine !== looking) return;
      items.value = cursor === null ? page.results : merge(items.value, page.results);
      next.value = page.next;
      error.value = null;
      state.value = "ready";
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      if (mine !== looking) return;
      error.value = reason;
      state.value = "failed";
    }
  }

  async function lookForNew(): Promise<number> {
    const mine = looking;
    try {
      const page = await listPictures(toValue(filter), null);
      if (mine !== looking || state.value === "loading") return 0;
      const first = items.value[0];
      const known = new Set([...items.value, ...waiting.value].map((each) => each.id));
      const fresh = page.results.filter((each) => !known.has(each.id) && (first === undefined || each.created_at > first.created_at));
      waiting.value = merge(waiting.value, fresh);
      if (known.size > 0 && fresh.length === page.results.length && page.next !== null) gap = true;
      return fresh.length;
    } catch (reason) {
      // What is shown stays as it is; the next look finds them.
      if (!(reason instanceof ApiError)) throw reason;
      return 0;
    }
  }

  function showWaiting(): void {
    if (gap) {
      void load();
      return;
    }
    items.value = merge(items.value, waiting.value);
    waiting.value = [];
  }

  function change(ids: ReadonlySet<string>, wanted: PictureChange): void {
    const changed = items.value.map((each) => (ids.has(each.id) ? { ...each, ...wanted } : each));
    items.value = changed.filter((each) => !ids.has(each.id) || isIn(toValue(filter), each));
  }

  function remove(ids: ReadonlySet<string>): void {
    items.value = items.value.filter((each) => !ids.has(each.id));
    waiting.value = waiting.value.filter((each) => !ids.has(each.id));
  }

  function put(pictures: readonly Picture[]): void {
    items.value = merge(items.value, pictures.filter((each) => isIn(toValue(filter), each)));
  }

  watch(() => toValue(filter), load, { immediate: true });
  return { items, state, error, hasMore, waiting, load, more, lookForNew, showWaiting, change, remove, put };
}

/** Whether a picture that matched still does; a change touches neither its prompt nor its model. */
function isIn({ board, favourite }: PictureFilter, picture: Picture): boolean {
  if (favourite === true && !picture.favourite) return false;
  return board === undefined || (board === NO_BOARD ? null : board) === picture.board;
}

/** Both, each picture once, newest first. */
function merge(known: readonly Picture[], more: readonly Picture[]): readonly Picture[] {
  const [last, first] = [known.at(-1), more[0]];
  // The next page: ten thousand pictures need no sorting for it.
  if (last !== undefined && first !== undefined && first.created_at < last.created_at) return [...known, ...more];
  const all = new Map([...known, ...more].map((each) => [each.id, each]));
  return [...all.values()].sort((a, b) => (a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : 0));
}
