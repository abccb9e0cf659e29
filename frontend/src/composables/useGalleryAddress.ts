import { computed, type ComputedRef } from "vue";
import { useRoute, useRouter, type LocationQuery, type LocationQueryRaw } from "vue-router";

import type { PictureFilter } from "@/api/pictures";

export interface UseGalleryAddress {
  filter: ComputedRef<PictureFilter>;
  /** The picture that is shown large. */
  shown: ComputedRef<string | null>;
  /** The one beside it. */
  compared: ComputedRef<string | null>;
  /** Show other pictures; what is undefined is dropped. */
  narrow: (change: { [K in keyof PictureFilter]: PictureFilter[K] | undefined }) => void;
  /** Show this one large; back leads to the grid, however many were looked at. */
  show: (id: string, beside?: string) => void;
  close: () => void;
}

/** What of the gallery is looked at. It lives in the address: so it can be shared, and back works. */
export function useGalleryAddress(): UseGalleryAddress {
  const route = useRoute();
  const router = useRouter();
  /** Whether the entry before this one is the grid. */
  let opened = false;

  // A new object only when something of it has changed: whoever watches it reads the list again.
  const filter = computed<PictureFilter>((before) => {
    const found = filterOf(route.query);
    return before !== undefined && JSON.stringify(before) === JSON.stringify(found) ? before : found;
  });
  const shown = computed(() => textOf(route.query["picture"]) ?? null);
  const compared = computed(() => textOf(route.query["beside"]) ?? null);

  function narrow(change: { [K in keyof PictureFilter]: PictureFilter[K] | undefined }): void {
    const wanted = { ...filter.value, ...change };
    // A search that is typed on is one step back, not one for each letter.
    const typedOn = "search" in change && filter.value.search !== undefined && wanted.search !== undefined;
    void router[typedOn ? "replace" : "push"]({ query: queryOf(wanted) });
  }

  function show(id: string, beside?: string): void {
    const from = shown.value;
    const query = { ...queryOf(filter.value), picture: id, ...(beside === undefined ? {} : { beside }) };
    void router[from === null ? "push" : "replace"]({ query });
    if (from === null) opened = true;
  }

  function close(): void {
    if (opened) router.back();
    else void router.replace({ query: queryOf(filter.value) });
    opened = false;
  }

  return { filter, shown, compared, narrow, show, close };
}

function filterOf(query: LocationQuery): PictureFilter {
  const board = textOf(query["board"]);
  const model = textOf(query["model"]);
  const search = textOf(query["search"]);
  return {
    ...(board === undefined ? {} : { board }),
    ...(query["favourite"] === undefined ? {} : { favourite: true }),
    ...(model === undefined ? {} : { model }),
    ...(search === undefined ? {} : { search }),
  };
}

/** The address of a list; without a filter it is the gallery's own. */
export function queryOf(filter: { [K in keyof PictureFilter]: PictureFilter[K] | undefined }): LocationQueryRaw {
  const { board, favourite, model, search } = filter;
  return {
    ...(board === undefined ? {} : { board }),
    ...(favourite === true ? { favourite: "1" } : {}),
    ...(model === undefined ? {} : { model }),
    ...(search === undefined || search === "" ? {} : { search }),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
