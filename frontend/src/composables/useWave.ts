import { ref, shallowRef, type Ref, type ShallowRef } from "vue";

import type { SpokenSentence } from "@/api/events";
import { readPeaks, withPeaks } from "@/composables/wave";

const LONGEST_FILE_S = 1800;
/** The bars keep their place until the speech outgrows what was expected, and then make room for a while. */
const ROOM = 1.3;

export interface UseWave {
  peaks: ShallowRef<Float32Array>;
  /** What the whole width stands for. */
  scaleS: Ref<number>;
  /** A new speech that will take about this long. */
  begin: (expectedS: number) => void;
  add: (sentences: readonly SpokenSentence[]) => void;
  /** The speech is complete; with `url`, its sentences are not at hand any more. */
  finish: (durationS: number, url: string | null) => void;
}

/** The wave of a speech, growing with its sentences. */
export function useWave(read: (url: string) => Promise<Float32Array | null> = readPeaks): UseWave {
  const peaks = shallowRef<Float32Array>(new Float32Array());
  const scaleS = ref(1);
  let known = 0;
  let arrivedS = 0;
  // What is still being read for a speech that is no longer shown is thrown away.
  let speech = 0;
  // One after the other: the player's own sentences must not wait behind hundreds of these.
  let line = Promise.resolve();

  function begin(expectedS: number): void {
    speech += 1;
    peaks.value = new Float32Array();
    known = arrivedS = 0;
    scaleS.value = Math.max(1, expectedS);
  }

  function take(url: string, startS: number): void {
    const mine = speech;
    line = line.then(async () => {
      const found = mine === speech ? await read(url) : null;
      if (found !== null && mine === speech) peaks.value = withPeaks(peaks.value, found, startS);
    });
  }

  function add(sentences: readonly SpokenSentence[]): void {
    if (sentences.length < known) begin(scaleS.value);
    for (const sentence of sentences.slice(known)) {
      take(sentence.url, arrivedS);
      arrivedS += sentence.duration_s;
    }
    known = sentences.length;
    if (arrivedS > scaleS.value) scaleS.value = arrivedS * ROOM;
  }

  function finish(durationS: number, url: string | null): void {
    scaleS.value = Math.max(0.1, durationS);
    if (url !== null && known === 0 && durationS <= LONGEST_FILE_S) take(url, 0);
  }

  return { peaks, scaleS, begin, add, finish };
}
