import { useI18n } from "vue-i18n";

import type { ApiError } from "@/api/http";
import { clock, describeJob, duration } from "@/composables/jobWords";
import type { JobView } from "@/composables/useJobs";

export interface UseJobWords {
  describe: (view: JobView) => string;
  seconds: (seconds: number) => string;
  clock: (seconds: number) => string;
  /** An error as a sentence that says what to do. */
  explain: (error: ApiError) => string;
}

/** Words for jobs, times and errors in the language of the page. */
export function useJobWords(): UseJobWords {
  const { t, locale } = useI18n();
  const translate = (key: string, values: Record<string, unknown> = {}): string => t(key, values);

  function explain(error: ApiError): string {
    if (error.code === "offline") return t("error.offline");
    if (error.status === 401) return t("error.signedOut");
    if (error.retryAfterS !== null) return t("error.retryIn", { message: error.message, seconds: error.retryAfterS });
    // A sentence of the server explains itself; of a fault inside it only the request's id helps.
    if (error.status >= 500 && error.requestId !== null) return t("error.withId", { message: error.message, id: error.requestId });
    return error.message;
  }

  return {
    describe: (view) => describeJob(view, translate, locale.value),
    seconds: (seconds) => duration(seconds, translate),
    clock,
    explain,
  };
}
