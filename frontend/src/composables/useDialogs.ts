import { defineStore } from "pinia";
import { ref } from "vue";

/** Which of the frame's dialogs is open; one at a time. */
export const useDialogs = defineStore("dialogs", () => {
  const open = ref<"palette" | "shortcuts" | null>(null);
  return { open };
});
