import { createPinia, setActivePinia } from "pinia";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope, type EffectScope } from "vue";

import { fuzzyScore } from "@/composables/fuzzy";
import { capsOf, matches, parseKeys } from "@/composables/keys";
import { useShortcutBoard, useShortcuts } from "@/composables/useShortcuts";

function press(key: string, init: KeyboardEventInit = {}, target: EventTarget = document.body): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init });
  target.dispatchEvent(event);
  return event;
}

function chord(keys: string): ReturnType<typeof parseKeys>[number] {
  const [first] = parseKeys(keys);
  if (first === undefined) throw new Error(`no keys in ${keys}`);
  return first;
}

describe("keys", () => {
  it("mean Ctrl, and ⌘ on a Mac, never both", () => {
    const ctrl = new KeyboardEvent("keydown", { key: "k", ctrlKey: true });
    const meta = new KeyboardEvent("keydown", { key: "k", metaKey: true });
    expect([matches(chord("mod+k"), ctrl, false), matches(chord("mod+k"), meta, false)]).toEqual([true, false]);
    expect([matches(chord("mod+k"), ctrl, true), matches(chord("mod+k"), meta, true)]).toEqual([false, true]);
  });

  it("are the same sign whichever way a keyboard makes it, but a letter with Shift is another", () => {
    expect(matches(chord("?"), new KeyboardEvent("keydown", { key: "?", shiftKey: true }), false)).toBe(true);
    expect(matches(chord("?"), new KeyboardEvent("keydown", { key: "?" }), false)).toBe(true);
    expect(matches(chord("n"), new KeyboardEvent("keydown", { key: "N", shiftKey: true }), false)).toBe(false);
    expect(matches(chord("Enter"), new KeyboardEvent("keydown", { key: "Enter", shiftKey: true }), false)).toBe(false);
  });

  it("are shown as the caps say", () => {
    expect(capsOf("mod+k", false)).toEqual([["Ctrl", "K"]]);
    expect(capsOf("mod+Enter", true)).toEqual([["⌘", "↵"]]);
    expect(capsOf("g c", false)).toEqual([["G"], ["C"]]);
  });
});

describe("shortcuts", () => {
  let scope: EffectScope;
  const act = vi.fn();

  beforeEach(() => {
    localStorage.clear();
    document.body.innerHTML = '<textarea id="text"></textarea>';
    setActivePinia(createPinia());
    act.mockReset();
    scope = effectScope();
  });

  afterEach(() => {
    scope.stop();
    useShortcutBoard().$dispose();
  });

  const bind = (...shortcuts: Parameters<typeof useShortcuts>[1]): void => {
    scope.run(() => {
      useShortcuts("keyboard.everywhere", shortcuts);
    });
  };
  const text = (): HTMLElement => document.querySelector<HTMLElement>("#text") ?? document.body;

  it("act and keep the browser from acting", () => {
    bind({ keys: "mod+k", does: "keyboard.palette", act });
    expect(press("k", { ctrlKey: true }).defaultPrevented).toBe(true);
    expect(press("k").defaultPrevented).toBe(false);
    expect(act).toHaveBeenCalledTimes(1);
  });

  it("leave letters alone that are typed, also in an input method", () => {
    bind({ keys: "?", does: "keyboard.sheet", act }, { keys: "mod+k", does: "keyboard.palette", act });
    press("?", {}, text());
    press("k", { ctrlKey: true, isComposing: true }, text());
    expect(act).not.toHaveBeenCalled();
    press("k", { ctrlKey: true }, text());
    expect(act).toHaveBeenCalledTimes(1);
  });

  it("act one after the other, and not when too long lies between", () => {
    bind({ keys: "g c", does: "pages.chat", act });
    press("c");
    press("g");
    press("x");
    press("c");
    expect(act).not.toHaveBeenCalled();
    press("g");
    press("c");
    expect(act).toHaveBeenCalledTimes(1);
    const late = new KeyboardEvent("keydown", { key: "c", bubbles: true });
    const { timeStamp } = press("g");
    Object.defineProperty(late, "timeStamp", { value: timeStamp + 5000 });
    document.body.dispatchEvent(late);
    expect(act).toHaveBeenCalledTimes(1);
  });

  it("inside an element act there only, while they may", () => {
    let running = true;
    bind({ keys: "Escape", does: "keyboard.stop", within: text(), when: () => running, act });
    press("Escape");
    expect(act).not.toHaveBeenCalled();
    press("Escape", {}, text());
    running = false;
    press("Escape", {}, text());
    expect(act).toHaveBeenCalledTimes(1);
  });

  it("do nothing behind a dialog", () => {
    bind({ keys: "mod+k", does: "keyboard.palette", act });
    document.body.append(Object.assign(document.createElement("dialog"), { open: true }));
    press("k", { ctrlKey: true });
    expect(act).not.toHaveBeenCalled();
  });

  it("of single characters can be turned off", () => {
    bind({ keys: "j", does: "tray.title", act }, { keys: "mod+k", does: "keyboard.palette", act });
    useShortcutBoard().characters = false;
    press("j");
    expect(act).not.toHaveBeenCalled();
    press("k", { ctrlKey: true });
    expect(act).toHaveBeenCalledTimes(1);
  });

  it("of what was bound last go first, and end with it", () => {
    const page = vi.fn();
    bind({ keys: "j", does: "tray.title", act });
    const inner = effectScope();
    inner.run(() => {
      useShortcuts("pages.image", [{ keys: "j", does: "keyboard.generate", act: page }]);
    });
    expect(useShortcutBoard().listed.map((group) => group.title)).toEqual(["keyboard.everywhere", "pages.image"]);
    press("j");
    inner.stop();
    press("j");
    expect([page.mock.calls.length, act.mock.calls.length]).toEqual([1, 1]);
    expect(useShortcutBoard().listed.map((group) => group.title)).toEqual(["keyboard.everywhere"]);
  });
});

describe("finding by a few letters", () => {
  const best = (query: string, texts: string[]): string | undefined =>
    texts
      .map((text) => ({ text, score: fuzzyScore(query, text) }))
      .filter((each): each is { text: string; score: number } => each.score !== null)
      .sort((a, b) => b.score - a.score)[0]?.text;

  it.each([
    ["voi", ["Invoice", "Voice", "Image"], "Voice"],
    ["gvo", ["Go to: Voice", "Go to: Image"], "Go to: Voice"],
    ["语音", ["前往：图像", "前往：语音"], "前往：语音"],
    ["图设", ["图像的设置", "语音的设置"], "图像的设置"],
    ["ｖｏｉｃｅ", ["Voice"], "Voice"],
    ["creme", ["Crème brûlée"], "Crème brûlée"],
    ["sea poem", ["A poem about the sea", "A poem about love"], "A poem about the sea"],
  ])("%s finds its best among %j", (query, texts, found) => {
    expect(best(query, texts)).toBe(found);
  });

  it("finds nothing where a letter is missing", () => {
    expect(fuzzyScore("voicez", "Voice")).toBeNull();
  });
});
