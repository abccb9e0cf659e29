import { useLocalStorage, usePreferredDark } from "@vueuse/core";
import { defineStore } from "pinia";
import { computed, watchEffect } from "vue";

import { LOCALES, preferredLocale, setLocale, type Locale } from "@/i18n";

export type Theme = "system" | "light" | "dark";
export const THEMES: readonly Theme[] = ["system", "light", "dark"];

/** What this browser remembers of how the studio should look. */
export const usePreferences = defineStore("preferences", () => {
  const theme = useLocalStorage<Theme>("studio.theme", "system", { serializer: json<Theme>() });
  const locale = useLocalStorage<Locale>("studio.locale", preferredLocale(), { serializer: json<Locale>() });
  const listOpen = useLocalStorage("studio.list", true);
  const quietInspectorOpen = useLocalStorage("studio.inspector.quiet", false);
  const inspectorOpen = useLocalStorage("studio.inspector", true);
  const listWidth = useLocalStorage("studio.listWidth", 264);
  const inspectorWidth = useLocalStorage("studio.inspectorWidth", 320);

  const systemDark = usePreferredDark();
  const dark = computed(() => (theme.value === "system" ? systemDark.value : theme.value === "dark"));

  watchEffect(() => {
    if (theme.value === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme.value;
  });
  watchEffect(() => {
    if (LOCALES.includes(locale.value)) void setLocale(locale.value);
  });

  return { theme, locale, dark, listOpen, inspectorOpen, quietInspectorOpen, listWidth, inspectorWidth };
});

function json<T>(): { read: (raw: string) => T; write: (value: T) => string } {
  return { read: (raw) => JSON.parse(raw) as T, write: (value) => JSON.stringify(value) };
}
