import { computed, ref, toValue, watch, type ComputedRef, type MaybeRefOrGetter } from "vue";

import type { Artifact, ImageJob } from "@/api/types";
import { isEnded } from "@/composables/snapshot";
import type { JobView } from "@/composables/useJobs";

/** A finished picture, or the place of those that a job still makes (or failed to make). */
export interface ImageResult {
  readonly key: string;
  readonly view: JobView;
  readonly job: ImageJob;
  readonly artifact: Artifact | null;
}

/** A result that is a picture. */
export type Picture = ImageResult & { readonly artifact: Artifact };

export const isPicture = (result: ImageResult | null): result is Picture => result !== null && result.artifact !== null;

export interface UseImageResults {
  results: ComputedRef<ImageResult[]>;
  selected: ComputedRef<ImageResult | null>;
  /** The pictures of the job that is looked at. */
  batch: ComputedRef<Picture[]>;
  select: (key: string) => void;
  /** Show what this job makes. */
  selectJob: (jobId: string) => void;
  step: (by: 1 | -1) => void;
}

/** The pictures of the jobs, newest first, and the one that is looked at. */
export function useImageResults(views: MaybeRefOrGetter<readonly JobView[]>): UseImageResults {
  const picked = ref<{ job: string; key: string | null } | null>(null);
  const results = computed(() => toValue(views).flatMap(resultsOf));

  const selected = computed(() => {
    const want = picked.value;
    if (want === null) return results.value[0] ?? null;
    const exact = results.value.find((each) => each.key === want.key);
    // The picture in the making that was looked at is finished now: its job's first picture takes its place.
    return exact ?? results.value.find((each) => each.view.id === want.job) ?? results.value[0] ?? null;
  });
  const batch = computed(() => results.value.filter(isPicture).filter((each) => each.view.id === selected.value?.view.id));

  // What is shown stays shown when something newer arrives.
  watch(
    () => (picked.value === null ? selected.value : null),
    (shown) => {
      if (shown !== null) picked.value = { job: shown.view.id, key: shown.key };
    },
    { immediate: true },
  );

  function select(key: string): void {
    const found = results.value.find((each) => each.key === key);
    if (found !== undefined) picked.value = { job: found.view.id, key };
  }

  function selectJob(job: string): void {
    picked.value = { job, key: null };
  }

  function step(by: 1 | -1): void {
    const index = results.value.findIndex((each) => each.key === selected.value?.key);
    const next = results.value[index + by];
    if (next !== undefined) select(next.key);
  }

  return { results, selected, batch, select, selectJob, step };
}

function resultsOf(view: JobView): ImageResult[] {
  const { job } = view;
  if (job.kind !== "image") return [];
  const pictures = view.snapshot.artifacts.map((artifact) => ({ key: artifact.id, view, job, artifact }));
  const unfinished = !isEnded(view.snapshot.status) || pictures.length === 0;
  return unfinished ? [{ key: `${view.id}-making`, view, job, artifact: null }, ...pictures] : pictures;
}
