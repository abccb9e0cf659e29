import { ask } from "@/api/http";
import type { Page } from "@/api/types";

/** One page of a long list; `next` is the cursor of the page after it. */
export async function askPage<T>(path: string, query: Record<string, string | undefined>): Promise<Page<T>> {
  const page = await ask<Page<T>>(path, { query });
  return { results: page.results, next: page.next === null ? null : cursorOf(page.next) };
}

/** The server gives the address of the next page; asking for it goes through our own query. */
function cursorOf(next: string): string {
  return new URL(next, location.origin).searchParams.get("cursor") ?? next;
}
