import { defineStore } from "pinia";
import { ref, watch } from "vue";

import { useJobs } from "@/composables/useJobs";
import { useSession } from "@/composables/useSession";

/** Whether the job tray is open. */
export const useTray = defineStore("tray", () => {
  const jobs = useJobs();
  const session = useSession();
  const open = ref(false);

  function toggle(): void {
    open.value = !open.value;
  }

  watch(open, (opened) => {
    if (opened) void jobs.findRunning();
  });
  watch(
    () => session.user?.id,
    () => {
      open.value = false;
    },
  );

  return { open, toggle };
});
