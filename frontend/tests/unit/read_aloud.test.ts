import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { effectScope, type EffectScope } from "vue";

import { markdown } from "@/composables/heavy";
import { promptOf, spokenText } from "@/composables/plainAnswer";
import type { Sound } from "@/composables/useSentencePlayer";
import { useReadAloud, type UseReadAloud } from "@/composables/useReadAloud";
import { begin, end, settle, socket, type FakeServer } from "./fake_studio";

class FakeSound implements Sound {
  src = "";
  currentTime = 0;
  playbackRate = 1;
  defaultPlaybackRate = 1;
  duration = 1;
  played: string[] = [];
  paused = 0;

  addEventListener(): void {
    // Nothing ends by itself here.
  }

  play(): Promise<void> {
    this.played.push(this.src);
    return Promise.resolve();
  }

  pause(): void {
    this.paused += 1;
  }
}

describe("reading an answer aloud", () => {
  let server: FakeServer;
  let scope: EffectScope;
  let sound: FakeSound;
  let aloud: UseReadAloud;

  beforeEach(async () => {
    server = await begin();
    sound = new FakeSound();
    scope = effectScope();
    aloud = scope.run(() => useReadAloud(() => sound)) as UseReadAloud;
    await markdown.wanted();
  });

  afterEach(() => {
    scope.stop();
    end();
  });

  async function read(content: string): Promise<void> {
    await aloud.read({ id: "a", content }, "espeak");
    await settle();
  }

  function speak(number: number): void {
    socket().say("job-1", `1-${number}`, "audio", { id: String(number), url: `/${number}.wav`, text: "…", duration_s: 1, media_type: "audio/wav" });
  }

  it("has its words spoken, not its marks and code", async () => {
    await read("**One** is [here](https://x.example).\n\n```js\nlet a;\n```\n\nTwo.");
    expect(server.bodies.at(-1)).toMatchObject({ kind: "voice", model: "espeak", input: { text: "One is here.\nTwo." } });
  });

  it("plays the first sentence while the rest is made", async () => {
    await read("One. Two.");
    speak(1);
    await settle();
    expect(sound.played).toEqual(["/1.wav"]);
  });

  it("plays the whole speech where it was made before the page heard of it", async () => {
    const reading = aloud.read({ id: "a", content: "One." }, "espeak");
    await settle();
    await reading;
    socket().say("job-1", "1-1", "artifact", { id: "f", url: "/whole.wav", media_type: "audio/wav", duration_s: 2 });
    socket().say("job-1", "1-2", "finished", {});
    await settle();
    expect(sound.played).toEqual(["/whole.wav"]);
  });

  it("stops the sound and the job", async () => {
    await read("One. Two.");
    speak(1);
    await settle();
    aloud.stop();
    await settle();
    expect(server.asked).toContain("POST /api/v1/jobs/job-1/cancel");
    expect([aloud.answer.value, sound.paused > 0]).toEqual([null, true]);
  });

  it("says when there is nothing to say", async () => {
    server.bodies = [];
    await read("```js\nlet a;\n```");
    expect([aloud.nothing.value, server.bodies]).toEqual([true, []]);
  });
});

describe("what can be said", () => {
  it("holds the formulas that are words, and no TeX", async () => {
    expect(await spokenText("If $a<b$ then\n\n$$\\frac{a}{b}$$\n\nis small.")).toBe("If a<b then\nis small.");
  });
});

describe("the prompt of an answer", () => {
  it("is one line without marks", async () => {
    expect(await promptOf("A **red**\nhouse.\n\n- by the sea")).toBe("A red house. by the sea");
  });

  it("ends between two words", async () => {
    const prompt = await promptOf("word ".repeat(400));
    expect(prompt.length).toBeLessThanOrEqual(1000);
    expect(prompt.endsWith("word")).toBe(true);
  });
});
