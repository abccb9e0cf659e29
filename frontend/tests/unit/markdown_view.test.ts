import { flushPromises, mount, type VueWrapper } from "@vue/test-utils";
import { describe, expect, it } from "vitest";

import MarkdownView from "@/components/MarkdownView.vue";
import { highlighting, maths } from "@/composables/heavy";
import { i18n } from "@/i18n";

function show(text: string, growing: boolean): VueWrapper {
  return mount(MarkdownView, { props: { text, growing }, global: { plugins: [i18n] } });
}

async function arrived(): Promise<void> {
  await Promise.all([maths.wanted(), highlighting.wanted()]);
  await flushPromises();
}

describe("an answer that grows", () => {
  it("keeps the elements of its finished blocks", async () => {
    const view = show("One.\n\n```js\nlet a;\n```\n\nThr", true);
    await arrived();
    const root = view.element as HTMLElement;
    const before = [...root.querySelectorAll("*")].filter((each) => each.closest(".block:last-child") === null);
    await view.setProps({ text: "One.\n\n```js\nlet a;\n```\n\nThree and $x$.\n\nFour" });
    await arrived();
    expect(before.length).toBeGreaterThan(5);
    expect(before.every((each) => root.contains(each))).toBe(true);
  });

  it("gets its formulas and colours as soon as a block is done, and not before", async () => {
    const view = show("So $x^2$", true);
    await arrived();
    expect(view.find(".drawn").exists()).toBe(false);
    await view.setProps({ text: "So $x^2$\n\n```js\nlet a" });
    await arrived();
    expect(view.findAll(".drawn")).toHaveLength(1);
    expect(view.find(".hljs-keyword").exists()).toBe(false);
    await view.setProps({ growing: false });
    await arrived();
    expect(view.get(".hljs-keyword").text()).toBe("let");
  });
});

describe("a finished answer", () => {
  it("names its tables, which the keyboard can reach", async () => {
    const view = show("| a |\n|---|\n| 1 |", false);
    await arrived();
    expect(view.get(".table").attributes()).toMatchObject({ tabindex: "0", role: "group", "aria-label": "Table" });
  });
});
