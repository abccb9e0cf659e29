import { useDocumentVisibility, useEventListener } from "@vueuse/core";
import { watch } from "vue";

import { useJobs } from "@/composables/useJobs";

/**
 * Do it when the connection is back, or the reader is: meanwhile another device may have gone on.
 *
 * What lives by notices does it `atFirst`, too, and after every gap: until the page is told of changes, it may have
 * missed one.
 */
export function whenBack(act: () => void, { atFirst = false } = {}): void {
  const jobs = useJobs();
  let missed = atFirst;
  watch(
    () => jobs.connection.status,
    (status) => {
      if (status === "waiting") missed = true;
    },
  );
  jobs.onWatching(() => {
    if (missed) act();
    missed = atFirst;
  });
  // The socket may have outlived a short cut.
  useEventListener(window, "online", act);
  const visibility = useDocumentVisibility();
  watch(visibility, (seen) => {
    if (seen === "visible") act();
  });
}
