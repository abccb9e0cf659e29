import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope, nextTick, shallowRef, type EffectScope } from "vue";

import { withFiles } from "@/composables/attachedFiles";
import { blank, type ShownMessage } from "@/composables/outbox";
import { countOf, patternOf, rangesOf } from "@/composables/textRanges";
import { useFind, type UseFind } from "@/composables/useFind";

function message(role: "user" | "assistant", content: string): ShownMessage {
  return { ...blank("2026-01-01T00:00:00Z"), role, content };
}

describe("words in the page", () => {
  function textsOf(html: string, words: string): string[] {
    const root = document.createElement("div");
    root.innerHTML = html;
    return rangesOf(root, patternOf(words)).map((range) => range.toString());
  }

  it.each([
    ["<p>One <b>t</b>wo, ONE TWO</p>", "one two", ["One two", "ONE TWO"]],
    ["<p>one</p><p>two</p>", "onetwo", []],
    ["<pre><code><span>let</span> <span>a</span></code></pre>", "let a", ["let a"]],
    ["<p>x <span class='math'>x</span></p><figure><figcaption>x<button>x</button></figcaption></figure>", "x", ["x"]],
    ["<p>f(x) [y] $z</p>", "(x) [y] $", ["(x) [y] $"]],
  ])("in %s, %j is found as %j", (html, words, found) => {
    expect(textsOf(html, words)).toEqual(found);
  });

  it("are counted as they are found", () => {
    expect(countOf("Two, two\ntwo", patternOf("two"))).toBe(3);
  });
});

describe("the search of a conversation", () => {
  const path = shallowRef<readonly ShownMessage[]>([]);
  let scope: EffectScope;
  let find: UseFind;
  let firstInView = 0;

  beforeEach(() => {
    firstInView = 0;
    path.value = [
      message("user", withFiles("Is it blue?", [{ name: "a.txt", text: "blue" }])),
      message("assistant", "It is **bl**ue, [blue](https://blue.example).\n\n```css\ncolor: blue;\n```"),
      message("user", "**blue** and $blue$"),
    ];
    scope = effectScope();
    find = scope.run(() => useFind(() => path.value, () => firstInView)) as UseFind;
    find.open();
  });

  afterEach(() => {
    scope.stop();
  });

  async function look(words: string): Promise<void> {
    find.words.value = words;
    await vi.waitUntil(() => find.pattern.value !== null);
    await nextTick();
    await vi.waitUntil(() => !find.searching.value);
  }

  it("finds what is seen: no marks, no addresses, no folded files", async () => {
    await look("Blue");
    expect(find.hits.value).toEqual([{ turn: 0, nth: 0 }, { turn: 1, nth: 0 }, { turn: 1, nth: 1 }, { turn: 1, nth: 2 }, { turn: 2, nth: 0 }, { turn: 2, nth: 1 }]);
  });

  it("begins where the reader is and goes round", async () => {
    firstInView = 2;
    await look("blue");
    expect(find.at.value).toBe(4);
    find.step(1);
    find.step(1);
    expect(find.at.value).toBe(0);
    find.step(-1);
    expect(find.at.value).toBe(5);
  });

  it("sees what arrives meanwhile and stays at its place", async () => {
    await look("blue");
    find.step(1);
    path.value = [...path.value, message("assistant", "blue")];
    await nextTick();
    await vi.waitUntil(() => find.hits.value.length === 7);
    expect(find.at.value).toBe(1);
  });

  it("forgets all when it is closed", async () => {
    await look("blue");
    find.close();
    await nextTick();
    expect([find.pattern.value, find.hits.value]).toEqual([null, []]);
  });
});
