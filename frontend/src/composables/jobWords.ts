/** What a job that is not done says of itself: never a bare spinner. */

import type { Progress } from "@/api/events";
import type { Medium } from "@/api/types";
import type { JobView } from "@/composables/useJobs";
import { remainingS } from "@/composables/timing";

/** The part of vue-i18n's `t` that is used here. */
export type Translate = (key: string, values?: Record<string, unknown>) => string;

const GB = 1e9;
const MB = 1e6;
const ENGLISH_ORDINALS: Record<Intl.LDMLPluralRule, string> = { one: "st", two: "nd", few: "rd", other: "th", zero: "th", many: "th" };
const WORKING = { chat: "wait.answering", image: "wait.painting", voice: "wait.speaking" } as const satisfies Record<Medium, string>;

export function ordinal(n: number, locale: string): string {
  if (locale !== "en") return String(n);
  return `${n}${ENGLISH_ORDINALS[new Intl.PluralRules("en", { type: "ordinal" }).select(n)]}`;
}

/** "12 s", "3 min", "1.5 h". */
export function duration(seconds: number, t: Translate): string {
  if (seconds < 90) return t("time.seconds", { n: Math.max(1, Math.round(seconds)) });
  if (seconds < 5400) return t("time.minutes", { n: Math.round(seconds / 60) });
  return t("time.hours", { n: Math.round(seconds / 360) / 10 });
}

/** "3.1" of "6.9 GB": the first without its unit where both have the same. */
export function bytesOf(done: number, total: number): { done: string; total: string } {
  const [unit, name] = total >= GB ? [GB, "GB"] : [MB, "MB"];
  const digits = total >= 10 * MB && total < GB ? 0 : 1;
  return { done: (done / unit).toFixed(digits), total: `${(total / unit).toFixed(digits)} ${name}` };
}

/** "1:05" */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** One line on where an unfinished job stands, or the name of its end. */
export function describeJob(view: JobView, t: Translate, locale: string): string {
  const { snapshot, stopping } = view;
  if (stopping) return t("action.stopping");
  if (snapshot.status === "queued") return describeQueue(view, t, locale);
  if (snapshot.status === "running") return describeWork(view, t);
  return t(`status.${snapshot.status}`);
}

function describeQueue({ snapshot }: JobView, t: Translate, locale: string): string {
  const { position, etaS, attempt } = snapshot;
  const parts: string[] = [];
  if (attempt > 1) parts.push(t("wait.again", { attempt }));
  if (position === 1) parts.push(t("wait.next"));
  else if (position !== null) parts.push(t("wait.position", { ordinal: ordinal(position, locale) }));
  if (etaS !== null) parts.push(etaS < 1 ? t("wait.startsNow") : t("wait.startsIn", { time: duration(etaS, t) }));
  return parts.length > 0 ? parts.join(" · ") : t("wait.free");
}

function describeWork(view: JobView, t: Translate): string {
  const { snapshot, job } = view;
  const model = snapshot.model ?? job.model;
  const { progress } = snapshot;
  if (progress?.stage === "load" || progress?.stage === "download") return describeLoading(progress, model, t);
  if (progress !== null) return describeProgress(progress, view, t);
  if (job.kind !== "chat") return t("wait.started", { model });
  if (snapshot.text !== "") return t("wait.answering");
  return snapshot.reasoning === "" ? t("wait.started", { model }) : t("wait.thinking");
}

function describeLoading({ step, steps, stage, unit }: Progress, model: string, t: Translate): string {
  // "0 of 1" says no more than that it loads.
  if (steps <= 0 || (unit !== "bytes" && steps === 1)) return t("wait.loadingUnknown", { model });
  const amounts = unit === "bytes" ? bytesOf(step, steps) : { done: String(step), total: String(steps) };
  return t(stage === "download" ? "wait.downloading" : "wait.loading", { model, ...amounts });
}

function describeProgress({ step, steps, unit }: Progress, { timing, job }: JobView, t: Translate): string {
  if (steps <= 0) return t(WORKING[job.kind]);
  const place = t(unit === "sentences" ? "wait.sentence" : "wait.step", { step, steps });
  const left = remainingS(timing, steps);
  return left === null || left < 1 ? place : `${place} · ${t("wait.about", { time: duration(left, t) })}`;
}
