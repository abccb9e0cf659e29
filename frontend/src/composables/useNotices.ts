import type { Notice } from "@/api/socket";
import { useJobs } from "@/composables/useJobs";

/** So long our own changes may take to be answered; until then they look like another page's. */
const SETTLE_MS = 300;

/** Do it soon after a notice of this kind; of several about one thing only for the last. */
export function useNotices<T extends Notice["thing"]>(thing: T, act: (notice: Extract<Notice, { thing: T }>) => void): void {
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  useJobs().onNotice((notice) => {
    if (notice.thing !== thing) return;
    const id = "id" in notice ? notice.id : "";
    clearTimeout(timers.get(id));
    timers.set(
      id,
      setTimeout(() => {
        timers.delete(id);
        act(notice as Extract<Notice, { thing: T }>);
      }, SETTLE_MS),
    );
  });
}
