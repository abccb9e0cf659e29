import { useDocumentVisibility, useEventListener } from "@vueuse/core";
import { watch } from "vue";

import { useJobs } from "@/composables/useJobs";

/** Do it when the connection is back, or the reader is: meanwhile another device may have gone on. */
export function whenBack(act: () => void): void {
  const jobs = useJobs();
  let lost = false;
  watch(
    () => jobs.connection.status,
    (status) => {
      if (status === "waiting") lost = true;
      if (status !== "open" || !lost) return;
      lost = false;
      act();
    },
  );
  // The socket may have outlived a short cut.
  useEventListener(window, "online", act);
  const visibility = useDocumentVisibility();
  watch(visibility, (seen) => {
    if (seen === "visible") act();
  });
}
