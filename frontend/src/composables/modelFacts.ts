/** What a model can do, in words. */

import type { Model } from "@/api/types";
import { bytesOf, type Translate } from "@/composables/jobWords";

/** With the count that chooses between one and many. */
type Counted = (key: string, values: Record<string, unknown>, count: number) => string;

export function readsPictures({ options }: Model): boolean {
  return options["vision"] === true;
}

export function factsOf(model: Model, t: Translate, counted: Counted, locale: string): readonly string[] {
  return [t(`models.asks.${model.medium}`), languages(model.languages, t, counted, locale), ...(readsPictures(model) ? [t("models.readsPictures")] : []), ...limits(model.options, t, locale)];
}

function languages(codes: readonly string[], t: Translate, counted: Counted, locale: string): string {
  if (codes.length === 0) return t("models.anyLanguage");
  const names = new Intl.DisplayNames(locale, { type: "language", fallback: "code" });
  const list = new Intl.ListFormat(locale, { type: "conjunction", style: "narrow" });
  return counted("models.languages", { n: codes.length, names: list.format(codes.map((code) => names.of(code) ?? code)) }, codes.length);
}

function limits(options: Model["options"], t: Translate, locale: string): readonly string[] {
  const { context_window: window, default_width: width, default_height: height, max_side: side } = options;
  const facts: string[] = [];
  if (typeof window === "number") facts.push(t("models.window", { n: window.toLocaleString(locale) }));
  if (typeof width === "number" && typeof height === "number") facts.push(t("models.pictures", { width, height }));
  if (typeof side === "number") facts.push(t("models.largest", { side }));
  return facts;
}

/** "3.6 GB"; null for nothing. */
export function sizeOf({ size_bytes: size }: Model): string | null {
  return size === 0 ? null : bytesOf(0, size).total;
}

/** Where the workers are with it. */
export function stateOf({ state: { state, done, total, message } }: Model, t: Translate): string {
  if (state === "downloading") return total > 0 ? t("models.state.downloading", bytesOf(done, total)) : t("models.state.downloadingUnknown");
  return t(`models.state.${state}`, state === "failed" ? { reason: message } : {});
}

export function isUnderWay({ state: { state } }: Model): boolean {
  return state === "downloading" || state === "loading";
}
