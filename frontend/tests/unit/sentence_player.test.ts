import { beforeEach, describe, expect, it } from "vitest";
import { effectScope } from "vue";

import type { SpokenSentence } from "@/api/events";
import { useSentencePlayer, type Sound, type UseSentencePlayer } from "@/composables/useSentencePlayer";

/** The browser's audio element, played by the test. */
class FakeSound implements Sound {
  src = "";
  currentTime = 0;
  playbackRate = 1;
  defaultPlaybackRate = 1;
  playing = false;
  private readonly listeners = new Map<string, () => void>();

  constructor(private readonly studio: Studio) {}

  addEventListener(type: string, listener: () => void): void {
    this.listeners.set(type, listener);
  }

  play(): Promise<void> {
    if (!this.studio.allowed) return Promise.reject(new DOMException("no press", "NotAllowedError"));
    this.playing = true;
    this.studio.played.push(`${this.src}@${Math.round(this.currentTime * 100) / 100}`);
    return Promise.resolve();
  }

  pause(): void {
    this.playing = false;
  }

  tell(type: string): void {
    this.listeners.get(type)?.();
  }
}

/** Both elements of a player: one is heard, the other has the next sentence ready. */
class Studio {
  allowed = true;
  readonly played: string[] = [];
  readonly sounds: FakeSound[] = [];

  readonly create = (): FakeSound => {
    const made = new FakeSound(this);
    this.sounds.push(made);
    return made;
  };

  get heard(): FakeSound {
    const found = this.sounds.find((sound) => sound.playing);
    if (found === undefined) throw new Error("nothing is heard");
    return found;
  }

  get silent(): boolean {
    return this.sounds.every((sound) => !sound.playing);
  }

  end(): void {
    const sound = this.heard;
    sound.playing = false;
    sound.tell("ended");
  }

  at(seconds: number): void {
    const sound = this.heard;
    sound.currentTime = seconds;
    sound.tell("timeupdate");
  }
}

function sentences(count: number): SpokenSentence[] {
  return Array.from({ length: count }, (_, index) => ({ id: `s${index}`, url: `/s${index}`, index, text: "…", duration_s: 2 }));
}

let studio: Studio;
let player: UseSentencePlayer;

beforeEach(() => {
  studio = new Studio();
  player = effectScope().run(() => useSentencePlayer(studio.create)) as UseSentencePlayer;
});

describe("a speech that is being made", () => {
  it("plays its first sentence as soon as it is there, and the others after it", () => {
    player.begin();
    expect(player.state.value).toBe("waiting");
    player.add(sentences(1));
    expect(studio.played).toEqual(["/s0@0"]);
    player.add(sentences(3));
    expect(studio.played).toEqual(["/s0@0"]);
    studio.end();
    studio.end();
    expect(studio.played).toEqual(["/s0@0", "/s1@0", "/s2@0"]);
  });

  it("has the next sentence ready before this one ends", () => {
    player.begin();
    player.add(sentences(2));
    expect(studio.sounds.map((sound) => sound.src)).toEqual(["/s0", "/s1"]);
    studio.end();
    expect(studio.heard.src).toBe("/s1");
  });

  it("waits for a sentence that is late", () => {
    player.begin();
    player.add(sentences(1));
    studio.end();
    expect(player.state.value).toBe("waiting");
    player.add(sentences(2));
    expect(studio.played).toEqual(["/s0@0", "/s1@0"]);
  });

  it("counts its position over all sentences", () => {
    player.begin();
    player.add(sentences(2));
    studio.end();
    studio.at(0.5);
    expect([player.positionS.value, player.durationS.value]).toEqual([2.5, 4]);
  });

  it("can be moved anywhere in what has arrived, and goes on from there", () => {
    player.begin();
    player.add(sentences(3));
    player.seek(5);
    expect([player.sentence.value, player.positionS.value, studio.heard.src]).toEqual([2, 5, "/s2"]);
    player.seek(0.5);
    expect(studio.played).toEqual(["/s0@0", "/s2@1", "/s0@0.5"]);
    expect(studio.sounds.filter((sound) => sound.playing)).toHaveLength(1);
  });

  it("waits at the end of what has arrived when it is moved there", () => {
    player.begin();
    player.add(sentences(2));
    player.seek(60);
    expect([player.state.value, player.positionS.value, studio.silent]).toEqual(["waiting", 4, true]);
    player.add(sentences(3));
    expect(studio.played.at(-1)).toBe("/s2@0");
  });

  it("stays paused while more arrives", () => {
    player.begin();
    player.add(sentences(1));
    studio.at(1);
    player.toggle();
    player.add(sentences(3));
    expect([player.state.value, player.positionS.value, studio.silent]).toEqual(["paused", 1, true]);
    player.toggle();
    expect(studio.played.at(-1)).toBe("/s0@1");
  });

  it("goes on in the whole file where a sentence ends, without a jump", () => {
    player.begin();
    player.add(sentences(2));
    player.finish("/all", 4);
    expect(studio.heard.src).toBe("/s0");
    studio.end();
    expect(studio.played.at(-1)).toBe("/all@2");
    studio.at(3);
    expect(player.positionS.value).toBe(3);
    studio.end();
    expect([player.state.value, player.positionS.value]).toEqual(["paused", 4]);
    player.toggle();
    expect(studio.played.at(-1)).toBe("/all@0");
  });

  it("begins again when the job starts over", () => {
    player.begin();
    player.add(sentences(2));
    player.add([]);
    expect(player.state.value).toBe("waiting");
    player.add(sentences(1));
    expect(studio.played).toEqual(["/s0@0", "/s0@0"]);
  });

  it("goes on after a reload where it was", () => {
    player.begin(3);
    player.add(sentences(1));
    expect([player.state.value, studio.played]).toEqual(["waiting", []]);
    player.add(sentences(2));
    expect(studio.played).toEqual(["/s1@1"]);
  });

  it("says that the browser wants a press first", async () => {
    studio.allowed = false;
    player.begin();
    player.add(sentences(1));
    await Promise.resolve();
    await Promise.resolve();
    expect([player.state.value, player.needsPress.value]).toEqual(["paused", true]);
    studio.allowed = true;
    player.toggle();
    expect([player.needsPress.value, studio.played]).toEqual([false, ["/s0@0"]]);
  });
});

describe("a finished speech", () => {
  it("can be paused, moved and taken up where it was", () => {
    player.load("/all", 10, true);
    studio.at(4);
    player.toggle();
    expect([studio.silent, player.state.value]).toEqual([true, "paused"]);
    player.seek(7);
    player.toggle();
    expect(studio.played.at(-1)).toBe("/all@7");
  });

  it("plays from the start again after its end", () => {
    player.load("/all", 10, true);
    studio.at(10);
    studio.end();
    player.toggle();
    expect(studio.played.at(-1)).toBe("/all@0");
  });

  it("repeats itself as long as it is told to", () => {
    player.load("/all", 10, true);
    player.setLoop({ fromS: 0, toS: Infinity });
    studio.end();
    studio.end();
    expect(studio.played).toEqual(["/all@0", "/all@0", "/all@0"]);
    player.setLoop(null);
    studio.end();
    expect(player.state.value).toBe("paused");
  });

  it("repeats a marked stretch, and comes to it from outside", () => {
    player.load("/all", 10, true);
    player.setLoop({ fromS: 4, toS: 6 });
    expect(studio.played.at(-1)).toBe("/all@4");
    studio.at(5.9);
    expect(studio.played).toHaveLength(2);
    studio.at(6.01);
    expect(studio.played.at(-1)).toBe("/all@4");
  });

  it("repeats a stretch that ends with the file", () => {
    player.load("/all", 10, true);
    player.setLoop({ fromS: 8, toS: 10 });
    studio.end();
    expect([player.state.value, studio.played.at(-1)]).toEqual(["playing", "/all@8"]);
  });
});

it("plays every source at the chosen speed, also one that is loaded later", () => {
  player.begin();
  player.add(sentences(1));
  player.setRate(1.5);
  player.add(sentences(2));
  studio.end();
  expect([studio.heard.playbackRate, studio.heard.defaultPlaybackRate]).toEqual([1.5, 1.5]);
});

it("is silent once there is nothing to play", () => {
  player.load("/all", 10, true);
  player.clear();
  expect([player.state.value, studio.silent]).toEqual(["empty", true]);
  player.toggle();
  player.seek(3);
  expect(studio.silent).toBe(true);
});
