import { useSessionStorage } from "@vueuse/core";
import { computed, watch, type ComputedRef, type Ref } from "vue";

import { isEnded } from "@/composables/snapshot";
import { marksOfSentences, marksOfWords, type Mark } from "@/composables/spokenText";
import { useSentencePlayer, type UseSentencePlayer } from "@/composables/useSentencePlayer";
import type { SpeechView } from "@/composables/useSpeechHistory";
import { speakingS, wordsOf } from "@/composables/useVoiceForm";
import { useWave, type UseWave } from "@/composables/useWave";

export interface UseSpeechStage {
  player: UseSentencePlayer;
  wave: UseWave;
  /** What is said. */
  text: ComputedRef<string>;
  marks: ComputedRef<readonly Mark[]>;
  /** Play the shown speech, which is complete, from its start. */
  play: () => void;
}

/** The speech that is shown: its sound and its wave as they arrive, and which words are heard when. */
export function useSpeechStage(view: Ref<SpeechView | null>): UseSpeechStage {
  const player = useSentencePlayer();
  const wave = useWave();
  // A reload in mid-speech goes on where it was.
  const place = useSessionStorage("studio.voice.place", { id: "", atS: 0 });

  const text = computed(() => (view.value === null ? "" : wordsOf(view.value.job.input)));
  const marks = computed(() => {
    if (view.value === null) return [];
    const { artifacts, audio } = view.value.snapshot;
    const words = artifacts.at(-1)?.words;
    return words === undefined || words.length === 0 ? marksOfSentences(text.value, audio) : marksOfWords(text.value, words);
  });

  function show({ id, job, snapshot }: SpeechView): void {
    wave.begin(speakingS(wordsOf(job.input), job.input.speed ?? 1));
    player.begin(place.value.id === id ? place.value.atS : 0);
    follow(id, snapshot, false);
  }

  /** `waited`: it was shown before it had ended, so somebody waits to hear it. */
  function follow(id: string, { audio, artifacts, status }: SpeechView["snapshot"], waited: boolean): void {
    player.add(audio);
    wave.add(audio);
    if (!isEnded(status)) return;
    const file = artifacts.at(-1);
    const fileS = file?.duration_s ?? 0;
    if (player.durationS.value > 0) player.finish(file?.url ?? null, fileS);
    else if (file === undefined) player.clear();
    // A short speech may have ended before any of its sentences came.
    else player.load(file.url, fileS, waited);
    wave.finish(player.durationS.value, file?.url ?? null);
    if (place.value.id === id) place.value = { id: "", atS: 0 };
  }

  watch(
    () => [view.value?.id, view.value?.snapshot] as const,
    ([id, snapshot], before) => {
      if (view.value === null || id === undefined || snapshot === undefined) return;
      if (id !== before?.[0]) show(view.value);
      else follow(id, snapshot, true);
    },
    { immediate: true },
  );
  watch(player.positionS, (atS) => {
    const shown = view.value;
    if (shown !== null && !isEnded(shown.snapshot.status)) place.value = { id: shown.id, atS: Math.floor(atS * 10) / 10 };
  });

  function play(): void {
    player.seek(0);
    if (player.state.value === "paused") player.toggle();
  }

  return { player, wave, text, marks, play };
}
