import { useI18n } from "vue-i18n";

import type { ApiError } from "@/api/http";
import { clock, describeJob, duration } from "@/composables/jobWords";
import type { JobView } from "@/composables/useJobs";

/** What the server says of a failure: a code for programs, and a sentence in its own language. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

export interface UseJobWords {
  describe: (view: JobView) => string;
  seconds: (seconds: number) => string;
  clock: (seconds: number) => string;
  /** An error as a sentence that says what to do. */
  explain: (error: ApiError) => string;
  /** Why something failed. */
  reason: (failure: Failure) => string;
}

/** Words for jobs, times and errors in the language of the page. */
export function useJobWords(): UseJobWords {
  const i18n = useI18n();
  const { t, locale } = i18n;
  const translate = (key: string, values: Record<string, unknown> = {}): string => t(key, values);

  function reason({ code, message }: Failure): string {
    const words = `failures.${code}`;
    return i18n.te(words) ? t("error.original", { words: t(words), message }) : message;
  }

  function explain(error: ApiError): string {
    if (error.code === "offline") return t("error.offline");
    if (error.status === 401) return t("error.signedOut");
    if (error.retryAfterS !== null) return t("error.retryIn", { message: reason(error), seconds: error.retryAfterS });
    // A sentence of the server explains itself; of a fault inside it only the request's id helps.
    if (error.status >= 500 && error.requestId !== null) return t("error.withId", { message: reason(error), id: error.requestId });
    return reason(error);
  }

  return {
    describe: (view) => describeJob(view, translate, locale.value),
    seconds: (seconds) => duration(seconds, translate),
    clock,
    explain,
    reason,
  };
}
