import { useRafFn } from "@vueuse/core";
import { onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from "vue";

import type { SpokenSentence } from "@/api/events";

/** What the player needs of an HTMLAudioElement. */
export type Sound = Pick<HTMLAudioElement, "play" | "pause" | "currentTime" | "playbackRate" | "defaultPlaybackRate"> & {
  src: string;
  addEventListener: (type: string, listener: () => void) => void;
};

/** A stretch that is played again and again; up to Infinity it is all that there is. */
export interface Loop {
  readonly fromS: number;
  readonly toS: number;
}

export interface UseSentencePlayer {
  /** `waiting`: all sentences that are there were played and more are being made. */
  state: Ref<"empty" | "paused" | "playing" | "waiting">;
  /** Index in the list of the sentence that is played; null when the whole file is. */
  sentence: Ref<number | null>;
  positionS: Ref<number>;
  /** Of what has arrived. */
  durationS: Ref<number>;
  rate: Ref<number>;
  loop: ShallowRef<Loop | null>;
  /** The browser refused to begin by itself; a press of the button is needed. */
  needsPress: ShallowRef<boolean>;
  /** There is nothing to play. */
  clear: () => void;
  /** Begin a new speech, playing its sentences as they come, from a second on. */
  begin: (atS?: number) => void;
  add: (sentences: readonly SpokenSentence[]) => void;
  /** The file that holds everything; it takes over where a sentence ends. */
  finish: (fileUrl: string | null, durationS: number) => void;
  /** Show a finished file; with `play`, play it at once. */
  load: (fileUrl: string, durationS: number, play?: boolean) => void;
  toggle: () => void;
  pause: () => void;
  /** To any second of what has arrived. */
  seek: (seconds: number) => void;
  setRate: (rate: number) => void;
  setLoop: (loop: Loop | null) => void;
}

/** Closer to its end than this a sentence is over. */
const END_S = 0.02;

/** Plays a speech while it is made, sentence after sentence and then the whole file, as one timeline. */
export function useSentencePlayer(create: () => Sound = () => new Audio()): UseSentencePlayer {
  const state = ref<"empty" | "paused" | "playing" | "waiting">("empty");
  const sentence = ref<number | null>(null);
  const positionS = ref(0);
  const durationS = ref(0);
  const rate = ref(1);
  const loop = shallowRef<Loop | null>(null);
  const needsPress = shallowRef(false);

  let sentences: readonly SpokenSentence[] = [];
  let file: string | null = null;
  let complete = false;
  let beginS = 0;
  // Two, so that the next sentence is there when this one ends.
  let front = createSound();
  let back = createSound();
  const sources = new Map<Sound, string>();

  const frames = useRafFn(look, { immediate: false });
  onScopeDispose(() => {
    front.pause();
  });

  function createSound(): Sound {
    const sound = create();
    sound.addEventListener("timeupdate", () => {
      if (sound === front) look();
    });
    sound.addEventListener("ended", () => {
      if (sound === front) ended();
    });
    return sound;
  }

  function startOf(index: number | null): number {
    return sentences.slice(0, index ?? 0).reduce((sum, each) => sum + each.duration_s, 0);
  }

  /** Four times a second by the element's own clock, and at each frame while the page is looked at. */
  function look(): void {
    if (state.value !== "playing") return;
    positionS.value = Math.min(startOf(sentence.value) + front.currentTime, durationS.value);
    if (loop.value !== null && positionS.value >= loop.value.toS) play(loop.value.fromS);
  }

  function setSource(url: string): void {
    if (sources.get(back) === url) [front, back] = [back, front];
    // The element's own `src` reads as an absolute address, and setting it again would load the file again.
    if (sources.get(front) === url) return;
    sources.set(front, url);
    front.src = url;
  }

  /** Have what is heard at that second ready; false while it has not arrived. */
  function cue(seconds: number): boolean {
    const before = front;
    if (file !== null) {
      sentence.value = null;
      setSource(file);
      front.currentTime = seconds;
    } else {
      const index = sentenceAt(seconds);
      const wanted = sentences[index];
      if (wanted === undefined) return false;
      sentence.value = index;
      setSource(wanted.url);
      front.currentTime = seconds - startOf(index);
    }
    if (before !== front) before.pause();
    front.playbackRate = front.defaultPlaybackRate = rate.value;
    positionS.value = seconds;
    return true;
  }

  function sentenceAt(seconds: number): number {
    let endS = 0;
    return sentences.findIndex((each) => {
      endS += each.duration_s;
      return seconds < endS - END_S;
    });
  }

  function play(seconds: number): void {
    if (!cue(seconds)) {
      wait();
      return;
    }
    state.value = "playing";
    needsPress.value = false;
    frames.resume();
    const sound = front;
    // Browsers may refuse sound that no press asked for; the promise says so.
    sound.play().catch((reason: unknown) => {
      if (!(reason instanceof DOMException)) throw reason;
      // AbortError: another source was set meanwhile, and that one plays.
      if (reason.name !== "NotAllowedError" || sound !== front) return;
      pause();
      needsPress.value = true;
    });
    prepareNext();
  }

  function prepareNext(): void {
    const url = file ?? (sentence.value === null ? undefined : sentences[sentence.value + 1]?.url);
    if (url === undefined || sources.get(front) === url || sources.get(back) === url) return;
    sources.set(back, url);
    back.src = url;
  }

  function ended(): void {
    const here = sentence.value;
    const endS = here === null ? durationS.value : startOf(here + 1);
    if (loop.value !== null && (here === null || endS >= loop.value.toS)) play(loop.value.fromS);
    else if (endS < durationS.value - END_S) play(endS);
    else if (complete) atEnd();
    else wait();
  }

  function wait(): void {
    frames.pause();
    state.value = "waiting";
    positionS.value = durationS.value;
  }

  function atEnd(): void {
    if (loop.value !== null) {
      play(loop.value.fromS);
      return;
    }
    pause();
    positionS.value = durationS.value;
  }

  function begin(atS = 0): void {
    pause();
    sentences = [];
    file = null;
    complete = false;
    beginS = atS;
    sentence.value = 0;
    positionS.value = durationS.value = 0;
    loop.value = null;
    needsPress.value = false;
    state.value = "waiting";
  }

  function clear(): void {
    begin();
    state.value = "empty";
  }

  function add(all: readonly SpokenSentence[]): void {
    // Fewer than before: the job runs again from its start.
    if (all.length < sentences.length) begin();
    if (all.length === sentences.length) return;
    const playedS = durationS.value;
    sentences = all;
    if (file === null) durationS.value = startOf(all.length);
    if (state.value === "waiting") {
      const atS = Math.max(beginS, playedS);
      if (atS < durationS.value - END_S) play(atS);
    } else prepareNext();
  }

  function finish(url: string | null, seconds: number): void {
    complete = true;
    file = url;
    if (url !== null) durationS.value = seconds;
    if (state.value === "waiting") atEnd();
    else prepareNext();
  }

  function load(url: string, seconds: number, playNow = false): void {
    begin();
    complete = true;
    file = url;
    durationS.value = seconds;
    state.value = "paused";
    if (playNow) play(0);
    else cue(0);
  }

  function pause(): void {
    frames.pause();
    front.pause();
    if (state.value === "playing" || state.value === "waiting") state.value = "paused";
  }

  function toggle(): void {
    if (state.value === "playing") pause();
    else if (state.value === "paused") play(complete && positionS.value >= durationS.value - END_S ? (loop.value?.fromS ?? 0) : positionS.value);
  }

  function seek(seconds: number): void {
    if (state.value === "empty") return;
    const atS = Math.min(Math.max(seconds, 0), durationS.value);
    const isEnd = atS >= durationS.value - END_S;
    if (state.value === "paused") {
      cue(isEnd ? Math.max(0, durationS.value - 2 * END_S) : atS);
      positionS.value = atS;
    } else if (!isEnd) play(atS);
    else if (complete) atEnd();
    else {
      front.pause();
      wait();
    }
  }

  function setRate(wanted: number): void {
    rate.value = wanted;
    for (const sound of [front, back]) sound.playbackRate = sound.defaultPlaybackRate = wanted;
  }

  function setLoop(wanted: Loop | null): void {
    loop.value = wanted;
    if (wanted !== null && (positionS.value < wanted.fromS || positionS.value > wanted.toS)) seek(wanted.fromS);
  }

  return { state, sentence, positionS, durationS, rate, loop, needsPress, clear, begin, add, finish, load, toggle, pause, seek, setRate, setLoop };
}
