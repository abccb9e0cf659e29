import { useDebounceFn } from "@vueuse/core";
import { computed, ref, shallowReactive, shallowRef, watch, type ComputedRef, type Ref, type ShallowReactive, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { changePictures, countPictures, createBoard, deleteBoard, deletePictures, listBoards, listPictureIds, renameBoard, restorePictures, type PictureChange, type PictureFilter,  } from "@/api/pictures";
import type { Board, Picture, PictureCounts } from "@/api/types";
import { isEnded } from "@/composables/snapshot";
import { useJobs } from "@/composables/useJobs";
import { usePictureList, type UsePictureList } from "@/composables/usePictureList";
import { useSelection, type UseSelection } from "@/composables/useSelection";
import { whenBack } from "@/composables/whenBack";

export const UNDO_MS = 10_000;
const COUNT_AFTER_MS = 200;
/** A job's end is heard a moment before its pictures are in the gallery. */
const LOOK_AFTER_MS = [300, 1500, 4000];

/** Something that was deleted and can still be brought back. */
export interface Removed {
  /** A board's name, or null for pictures. */
  readonly board: string | null;
  readonly count: number;
  readonly undo: () => Promise<void>;
}

export interface UseGallery {
  list: UsePictureList;
  selection: UseSelection;
  counts: ShallowRef<PictureCounts | null>;
  boards: ShallowRef<readonly Board[]>;
  removed: ShallowReactive<Map<number, Removed>>;
  error: ShallowRef<ApiError | null>;
  /** The reader is at the newest pictures: what arrives may be shown at once. */
  atTop: Ref<boolean>;
  fresh: ComputedRef<number>;
  selectAll: () => Promise<void>;
  change: (ids: readonly string[], wanted: PictureChange) => Promise<void>;
  remove: (ids: readonly string[]) => Promise<void>;
  undo: (key: number) => Promise<void>;
  /** The new board; null when it was refused. */
  addBoard: (name: string) => Promise<Board | null>;
  nameBoard: (id: string, name: string) => Promise<void>;
  removeBoard: (board: Board) => Promise<void>;
}

/** The gallery: its list, what of it is selected, its boards, and what people do with all that. */
export function useGallery(filter: ComputedRef<PictureFilter>): UseGallery {
  const jobs = useJobs();
  const list = usePictureList(filter);
  const selection = useSelection(list.items);
  const counts = shallowRef<PictureCounts | null>(null);
  const boards = shallowRef<readonly Board[]>([]);
  const removed = shallowReactive(new Map<number, Removed>());
  const error = shallowRef<ApiError | null>(null);
  const atTop = ref(true);
  const fresh = computed(() => list.waiting.value.length);
  let removals = 0;

  /** Do it; an error is shown until the next try. */
  async function attempt(act: () => Promise<void>): Promise<boolean> {
    error.value = null;
    try {
      await act();
      return true;
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
      return false;
    } finally {
      void count();
    }
  }

  async function readCounts(): Promise<void> {
    try {
      [counts.value, boards.value] = await Promise.all([countPictures(filter.value), listBoards()]);
    } catch (reason) {
      // Figures beside the pictures: the list itself says what is wrong.
      if (!(reason instanceof ApiError)) throw reason;
    }
  }

  /** After a change; one reading for several. */
  const count = useDebounceFn(readCounts, COUNT_AFTER_MS);

  async function change(ids: readonly string[], wanted: PictureChange): Promise<void> {
    list.change(new Set(ids), wanted);
    const done = await attempt(() => changePictures(ids, wanted));
    if (!done) void list.load();
  }

  async function remove(ids: readonly string[]): Promise<void> {
    const gone = new Set(ids);
    const rows = list.items.value.filter((each) => gone.has(each.id));
    const from = filter.value;
    list.remove(gone);
    selection.set([...selection.selected.value].filter((id) => !gone.has(id)));
    const done = await attempt(() => deletePictures(ids));
    if (done) offerUndo({ board: null, count: ids.length, undo: () => bringBack(ids, rows, from) });
    else list.put(rows);
  }

  async function bringBack(ids: readonly string[], rows: readonly Picture[], from: PictureFilter): Promise<void> {
    await restorePictures(ids);
    // Those that were not loaded come with their page; in another list it is not known which of them belong there.
    if (from === filter.value) list.put(rows);
    else await list.load();
  }

  function offerUndo(one: Removed): void {
    removals += 1;
    const key = removals;
    removed.set(key, one);
    setTimeout(() => removed.delete(key), UNDO_MS);
  }

  async function undo(key: number): Promise<void> {
    const one = removed.get(key);
    removed.delete(key);
    if (one !== undefined) await attempt(one.undo);
  }

  async function selectAll(): Promise<void> {
    await attempt(async () => {
      selection.set(await listPictureIds(filter.value));
    });
  }

  async function addBoard(name: string): Promise<Board | null> {
    let made: Board | null = null;
    await attempt(async () => {
      made = await createBoard(name);
      boards.value = [...boards.value, made];
    });
    return made;
  }

  async function nameBoard(id: string, name: string): Promise<void> {
    await attempt(async () => {
      const renamed = await renameBoard(id, name);
      boards.value = boards.value.map((each) => (each.id === id ? renamed : each));
    });
  }

  async function removeBoard(board: Board): Promise<void> {
    await attempt(async () => {
      const ids = await listPictureIds({ board: board.id });
      await deleteBoard(board.id);
      boards.value = boards.value.filter((each) => each.id !== board.id);
      list.change(new Set(ids), { board: null });
      offerUndo({ board: board.name, count: ids.length, undo: () => makeAgain(board.name, ids) });
    });
  }

  async function makeAgain(name: string, ids: readonly string[]): Promise<void> {
    const { id } = await createBoard(name);
    if (ids.length > 0) await changePictures(ids, { board: id });
    list.change(new Set(ids), { board: id });
  }

  async function look(): Promise<void> {
    if ((await list.lookForNew()) === 0) return;
    void count();
    if (atTop.value) list.showWaiting();
  }

  const ended = computed(() => [...jobs.views.values()].filter((each) => each.job.kind === "image" && isEnded(each.snapshot.status)).length);
  watch(ended, () => {
    for (const delay of LOOK_AFTER_MS) setTimeout(() => void look(), delay);
  });
  watch(filter, () => {
    selection.clear();
    void count();
  });
  watch(atTop, (top) => {
    if (top && fresh.value > 0) list.showWaiting();
  });
  whenBack(() => {
    if (list.state.value === "failed") void list.load();
    else void look();
  });
  void readCounts();

  return { list, selection, counts, boards, removed, error, atTop, fresh, selectAll, change, remove, undo, addBoard, nameBoard, removeBoard };
}
