import { beforeEach, describe, expect, it } from "vitest";
import { effectScope } from "vue";

import type { SpokenSentence } from "@/api/events";
import { useSentencePlayer, type Sound, type UseSentencePlayer } from "@/composables/useSentencePlayer";

/** The browser's audio element, played by the test. */
class FakeSound implements Sound {
  src = "";
  currentTime = 0;
  duration = Number.NaN;
  playing = false;
  allowed = true;
  readonly played: string[] = [];
  private readonly listeners = new Map<string, () => void>();

  addEventListener(type: string, listener: () => void): void {
    this.listeners.set(type, listener);
  }

  play(): Promise<void> {
    if (!this.allowed) return Promise.reject(new DOMException("no press", "NotAllowedError"));
    this.playing = true;
    this.played.push(this.src);
    return Promise.resolve();
  }

  pause(): void {
    this.playing = false;
  }

  end(): void {
    this.playing = false;
    this.listeners.get("ended")?.();
  }

  at(seconds: number): void {
    this.currentTime = seconds;
    this.listeners.get("timeupdate")?.();
  }
}

function sentences(count: number): SpokenSentence[] {
  return Array.from({ length: count }, (_, index) => ({ id: `s${index}`, url: `/s${index}`, index, text: "…", duration_s: 2 }));
}

let sound: FakeSound;
let player: UseSentencePlayer;

beforeEach(() => {
  sound = new FakeSound();
  player = effectScope().run(() => useSentencePlayer(() => sound)) as UseSentencePlayer;
});

describe("a speech that is being made", () => {
  it("plays its first sentence as soon as it is there, and the others after it", () => {
    player.begin();
    expect(player.state.value).toBe("waiting");
    player.add(sentences(1));
    expect(sound.played).toEqual(["/s0"]);
    player.add(sentences(3));
    expect(sound.played).toEqual(["/s0"]);
    sound.end();
    sound.end();
    expect(sound.played).toEqual(["/s0", "/s1", "/s2"]);
  });

  it("waits for a sentence that is late", () => {
    player.begin();
    player.add(sentences(1));
    sound.end();
    expect(player.state.value).toBe("waiting");
    player.add(sentences(2));
    expect(sound.played).toEqual(["/s0", "/s1"]);
  });

  it("counts its position over all sentences", () => {
    player.begin();
    player.add(sentences(2));
    sound.end();
    sound.at(0.5);
    expect([player.positionS.value, player.durationS.value]).toEqual([2.5, 4]);
  });

  it("shows the whole file after the last sentence", () => {
    player.begin();
    player.add(sentences(1));
    player.finish("/all", 2);
    expect(sound.playing).toBe(true);
    sound.end();
    expect([player.state.value, player.sentence.value, sound.src]).toEqual(["paused", null, "/all"]);
    player.toggle();
    expect(sound.played).toEqual(["/s0", "/all"]);
  });

  it("begins again when the job starts over", () => {
    player.begin();
    player.add(sentences(2));
    player.add([]);
    expect(player.state.value).toBe("waiting");
    player.add(sentences(1));
    expect(sound.played).toEqual(["/s0", "/s0"]);
  });

  it("says that the browser wants a press first", async () => {
    sound.allowed = false;
    player.begin();
    player.add(sentences(1));
    await Promise.resolve();
    await Promise.resolve();
    expect([player.state.value, player.needsPress.value]).toEqual(["paused", true]);
    sound.allowed = true;
    player.toggle();
    expect(sound.played).toEqual(["/s0"]);
  });
});

describe("a finished speech", () => {
  it("can be paused, moved and taken up where it was", () => {
    player.load("/all", 10, true);
    sound.at(4);
    player.toggle();
    expect([sound.playing, player.state.value]).toEqual([false, "paused"]);
    player.seek(7);
    player.toggle();
    expect([sound.playing, sound.currentTime]).toEqual([true, 7]);
  });

  it("plays from the start again after its end", () => {
    player.load("/all", 10, true);
    sound.at(10);
    sound.end();
    player.toggle();
    expect(sound.currentTime).toBe(0);
  });
});
