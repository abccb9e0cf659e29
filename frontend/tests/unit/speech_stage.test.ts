import { flushPromises } from "@vue/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope, shallowRef, type EffectScope } from "vue";

import type { Artifact, VoiceJob } from "@/api/types";
import { EMPTY, type Snapshot } from "@/composables/snapshot";
import { UNSEEN } from "@/composables/timing";
import type { SpeechView } from "@/composables/useSpeechHistory";
import { useSpeechStage, type UseSpeechStage } from "@/composables/useSpeechStage";

const FILE = { id: "f", url: "/f.wav", media_type: "audio/wav", size: 9, duration_s: 5 } as unknown as Artifact;
const DONE: Partial<Snapshot> = { status: "succeeded", artifacts: [FILE] };

/** What the browser's audio elements were told to play. */
let played: string[] = [];

class FakeAudio {
  src = "";
  currentTime = 0;
  playbackRate = 1;
  defaultPlaybackRate = 1;
  addEventListener(): void {}
  pause(): void {}
  play(): Promise<void> {
    played.push(this.src);
    return Promise.resolve();
  }
}

function speech(snapshot: Partial<Snapshot>, id = "a"): SpeechView {
  const job = { id, kind: "voice", input: { text: "Good evening." } } as unknown as VoiceJob;
  return { id, job, snapshot: { ...EMPTY, ...snapshot }, timing: UNSEEN, stopping: false };
}

describe("the speech that is shown", () => {
  let scope: EffectScope;
  const view = shallowRef<SpeechView | null>(null);

  function shown(first: SpeechView): UseSpeechStage {
    view.value = first;
    return scope.run(() => useSpeechStage(view)) as UseSpeechStage;
  }

  beforeEach(() => {
    played = [];
    scope = effectScope();
    vi.stubGlobal("Audio", FakeAudio);
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network")));
  });

  afterEach(() => {
    scope.stop();
    vi.unstubAllGlobals();
  });

  it("is heard even when it ended before any of its sentences came", async () => {
    const { player } = shown(speech({}));
    expect(played).toEqual([]);
    view.value = speech(DONE);
    await flushPromises();
    expect(played).toEqual(["/f.wav"]);
    expect(player.state.value).toBe("playing");
  });

  it("waits for a press when it had ended before it was shown", async () => {
    const { player } = shown(speech(DONE));
    view.value = speech(DONE);
    await flushPromises();
    view.value = speech(DONE, "b");
    await flushPromises();
    expect(played).toEqual([]);
    expect([player.state.value, player.durationS.value]).toEqual(["paused", 5]);
  });
});
