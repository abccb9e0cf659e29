import { onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from "vue";

import type { SpokenSentence } from "@/api/events";

/** What the player needs of an HTMLAudioElement. */
export type Sound = Pick<HTMLAudioElement, "play" | "pause" | "currentTime" | "duration"> & {
  src: string;
  addEventListener: (type: string, listener: () => void) => void;
};

export interface UseSentencePlayer {
  /** `waiting`: all sentences that are there were played and more are being made. */
  state: Ref<"empty" | "paused" | "playing" | "waiting">;
  /** Index in the list of the sentence that is played; null when the whole file is. */
  sentence: Ref<number | null>;
  positionS: Ref<number>;
  durationS: Ref<number>;
  /** The browser refused to begin by itself; a press of the button is needed. */
  needsPress: ShallowRef<boolean>;
  /** Begin a new speech, playing its sentences as they come. */
  begin: () => void;
  add: (sentences: readonly SpokenSentence[]) => void;
  /** The file that holds everything; played from the start once the sentences are over. */
  finish: (fileUrl: string | null, durationS: number) => void;
  /** Show a finished file; with `play`, play it at once. */
  load: (fileUrl: string, durationS: number, play?: boolean) => void;
  toggle: () => void;
  seek: (seconds: number) => void;
}

/** Plays a speech while it is made: sentence after sentence, then the whole file. */
export function useSentencePlayer(create: () => Sound = () => new Audio()): UseSentencePlayer {
  const state = ref<"empty" | "paused" | "playing" | "waiting">("empty");
  const sentence = ref<number | null>(null);
  const positionS = ref(0);
  const durationS = ref(0);
  const needsPress = shallowRef(false);

  let sentences: readonly SpokenSentence[] = [];
  let file: { url: string; durationS: number } | null = null;
  let complete = false;
  let source = "";
  const sound = create();

  sound.addEventListener("timeupdate", () => {
    positionS.value = startOf(sentence.value) + sound.currentTime;
  });
  sound.addEventListener("durationchange", () => {
    if (sentence.value === null && Number.isFinite(sound.duration)) durationS.value = sound.duration;
  });
  sound.addEventListener("ended", ended);
  onScopeDispose(() => {
    sound.pause();
  });

  function startOf(index: number | null): number {
    return sentences.slice(0, index ?? 0).reduce((sum, each) => sum + each.duration_s, 0);
  }

  function setSource(url: string): void {
    // The element's own `src` reads as an absolute address, and setting it again would load the file again.
    if (source === url) return;
    source = url;
    sound.src = url;
  }

  function start(url: string, atS = 0): void {
    setSource(url);
    sound.currentTime = atS;
    state.value = "playing";
    needsPress.value = false;
    // Browsers may refuse sound that no press asked for; the promise says so.
    sound.play().catch((reason: unknown) => {
      if (!(reason instanceof DOMException)) throw reason;
      // AbortError: another source was set meanwhile, and that one plays.
      if (reason.name !== "NotAllowedError") return;
      state.value = "paused";
      needsPress.value = true;
    });
  }

  function startSentence(index: number): void {
    const next = sentences[index];
    if (next === undefined) return;
    sentence.value = index;
    start(next.url);
  }

  function ended(): void {
    if (sentence.value === null) {
      state.value = "paused";
      return;
    }
    if (sentence.value + 1 < sentences.length) startSentence(sentence.value + 1);
    else if (complete) showFile();
    else state.value = "waiting";
  }

  function showFile(): void {
    sentence.value = null;
    state.value = "paused";
    positionS.value = 0;
    if (file === null) return;
    setSource(file.url);
    durationS.value = file.durationS;
  }

  function begin(): void {
    sound.pause();
    sentences = [];
    file = null;
    complete = false;
    sentence.value = 0;
    positionS.value = durationS.value = 0;
    needsPress.value = false;
    state.value = "waiting";
  }

  function add(all: readonly SpokenSentence[]): void {
    // Fewer than before: the job runs again from its start.
    if (all.length < sentences.length) begin();
    const before = sentences.length;
    sentences = all;
    durationS.value = startOf(all.length);
    if (state.value !== "waiting" || sentence.value === null || all.length === before) return;
    startSentence(before === 0 ? 0 : sentence.value + 1);
  }

  function finish(url: string | null, seconds: number): void {
    complete = true;
    file = url === null ? null : { url, durationS: seconds };
    if (state.value === "waiting") showFile();
  }

  function load(url: string, seconds: number, play = false): void {
    begin();
    complete = true;
    file = { url, durationS: seconds };
    showFile();
    if (play) start(url);
  }

  function toggle(): void {
    if (state.value === "playing") {
      sound.pause();
      state.value = "paused";
    } else if (state.value === "paused") {
      const url = sentence.value === null ? file?.url : sentences[sentence.value]?.url;
      const atEnd = sentence.value === null && positionS.value >= durationS.value - 0.05;
      if (url !== undefined) start(url, atEnd ? 0 : sound.currentTime);
    }
  }

  function seek(seconds: number): void {
    if (sentence.value !== null) return;
    sound.currentTime = seconds;
    positionS.value = seconds;
  }

  return { state, sentence, positionS, durationS, needsPress, begin, add, finish, load, toggle, seek };
}
