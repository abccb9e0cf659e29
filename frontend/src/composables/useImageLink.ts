import { watch } from "vue";
import { useRoute, useRouter, type LocationQuery } from "vue-router";

export interface ImageLinks {
  /** `?prompt=`: words to paint. */
  prompt: (text: string) => void;
  /** `?from=`: take over how a picture of the gallery was made. */
  from: (picture: string) => void;
  /** `?start=`: begin from a picture of the gallery. */
  start: (picture: string) => void;
}

const NAMES = ["prompt", "from", "start"] as const;

/** What other pages ask the studio to begin with; it leaves the address, so that a reload does not ask again. */
export function useImageLink(links: ImageLinks): void {
  const route = useRoute();
  const router = useRouter();

  function follow(query: LocationQuery): void {
    const asked = NAMES.filter((name) => typeof query[name] === "string");
    if (asked.length === 0) return;
    const rest = Object.fromEntries(Object.entries(query).filter(([name]) => !(NAMES as readonly string[]).includes(name)));
    void router.replace({ query: rest });
    for (const name of asked) links[name](String(query[name]));
  }

  watch(() => route.query, follow, { immediate: true });
}
