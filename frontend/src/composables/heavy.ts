/** The heavy parts of a message, each fetched with the first text that needs it. */

import { lazily } from "@/composables/lazily";

export const maths = lazily(() => import("@/composables/maths"));
export const highlighting = lazily(() => import("@/composables/highlight"));
export const markdown = lazily(() => import("@/composables/markdown"));
