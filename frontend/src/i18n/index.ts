import { nextTick } from "vue";
import { createI18n } from "vue-i18n";

import { en } from "@/i18n/en";
import type { Messages } from "@/i18n/messages";

export type Locale = "en" | "zh";
export const LOCALES: readonly Locale[] = ["en", "zh"];

// Chinese speaks English until its own words are loaded.
const WORDS: Record<Locale, Messages> = { en, zh: en };

export const i18n = createI18n({
  legacy: false,
  locale: preferredLocale(),
  fallbackLocale: "en",
  messages: WORDS,
});
const loaded = new Set<Locale>(["en"]);

/** What the browser's languages suggest. */
export function preferredLocale(languages: readonly string[] = navigator.languages): Locale {
  const known = languages.map((each) => each.slice(0, 2).toLowerCase()).find((each) => each === "zh" || each === "en");
  return known === "zh" ? "zh" : "en";
}

/** Speak this language; the words of the other one are loaded only where they are wanted. */
export async function setLocale(locale: Locale): Promise<void> {
  if (!loaded.has(locale)) {
    const { failures, zh } = await import("@/i18n/zh");
    i18n.global.setLocaleMessage("zh", { ...zh, ...{ failures } });
    loaded.add(locale);
  }
  i18n.global.locale.value = locale;
  document.documentElement.lang = locale === "zh" ? "zh-CN" : "en";
  // By this cookie Django's admin speaks it, too.
  document.cookie = `django_language=${locale === "zh" ? "zh-hans" : "en"}; Path=/; Max-Age=31536000; SameSite=Lax`;
  await nextTick();
}
