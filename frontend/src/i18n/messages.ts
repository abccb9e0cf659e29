import type { en } from "@/i18n/en";

/** The same keys as English, other words. */
export type Messages<T = typeof en> = { [K in keyof T]: T[K] extends string ? string : Messages<T[K]> };
