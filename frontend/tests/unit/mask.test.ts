import { describe, expect, it } from "vitest";

import { maskSize } from "@/composables/maskPainting";
import { LARGEST_BRUSH, LEAST_BRUSH, NO_STEPS, add, coversSomething, extended, redo, resized, undo, type MaskStep } from "@/composables/maskSteps";
import { FIT, zoomedAt } from "@/composables/usePanZoom";

const fill: MaskStep = { kind: "fill" };
const clear: MaskStep = { kind: "clear" };
const invert: MaskStep = { kind: "invert" };
const stroke = (erase: boolean): MaskStep => ({ kind: "stroke", erase, size: 0.1, points: [{ x: 0, y: 0 }] });

describe("the steps of a mask", () => {
  it("are undone and done again in their order", () => {
    const two = add(add(NO_STEPS, fill), stroke(true));
    const none = undo(undo(two));
    expect(none.done).toEqual([]);
    expect(redo(redo(none))).toEqual(two);
    expect(undo(none)).toEqual(none);
    expect(redo(two)).toEqual(two);
  });

  it("cannot be done again after another step", () => {
    expect(redo(add(undo(add(NO_STEPS, fill)), invert)).done).toEqual([invert]);
  });

  it.each([
    [[], false],
    [[stroke(false)], true],
    [[stroke(true)], false],
    [[fill, clear], false],
    [[invert], true],
    [[fill, invert], false],
    [[fill, stroke(false), invert], false],
    [[fill, stroke(true), invert], true],
    [[stroke(false), clear, stroke(true)], false],
    [[stroke(false), fill, invert, stroke(false)], true],
  ] satisfies [MaskStep[], boolean][])("%j cover something: %s", (steps, covered) => {
    expect(coversSomething(steps, "nothing")).toBe(covered);
  });

  it("begin with what an earlier mask covers", () => {
    expect(coversSomething([], "something")).toBe(true);
    expect(coversSomething([clear], "something")).toBe(false);
  });
});

describe("a stroke", () => {
  it("leaves out places where the pointer hardly moved", () => {
    const begun = [{ x: 0.5, y: 0.5 }];
    expect(extended(begun, { x: 0.5001, y: 0.5 })).toBe(begun);
    expect(extended(begun, { x: 0.6, y: 0.5 })).toHaveLength(2);
  });

  it("has a brush within its limits", () => {
    let size = 0.1;
    for (let n = 0; n < 50; n += 1) size = resized(size, 1);
    expect(size).toBe(LARGEST_BRUSH);
    for (let n = 0; n < 50; n += 1) size = resized(size, -1);
    expect(size).toBe(LEAST_BRUSH);
  });
});

describe("the size of a mask", () => {
  it.each([
    [{ width: 128, height: 96 }, { width: 512, height: 384 }],
    [{ width: 1024, height: 1024 }, { width: 1024, height: 1024 }],
    [{ width: 6000, height: 4000 }, { width: 2048, height: 1365 }],
    [{ width: 4096, height: 1 }, { width: 2048, height: 1 }],
  ])("of %j is %j", (picture, mask) => {
    expect(maskSize(picture)).toEqual(mask);
  });

  it("has the picture's shape within the two percent that the engine allows", () => {
    for (let width = 64; width <= 4096; width += 97)
      for (let height = 64; height <= 4096; height += 101) {
        const mask = maskSize({ width, height });
        expect(Math.abs((mask.width * height) / (mask.height * width) - 1)).toBeLessThan(0.02);
      }
  });
});

describe("zooming", () => {
  it("keeps what is under the pointer where it is", () => {
    const near = zoomedAt(FIT, 2, { x: 100, y: -40 });
    // The point of the picture that was there before is (100, -40); now it lies at scale * point + move.
    expect([near.scale * 100 + near.x, near.scale * -40 + near.y]).toEqual([100, -40]);
  });

  it("ends at the whole picture in its middle", () => {
    expect(zoomedAt({ scale: 2, x: 50, y: 50 }, 0.1, { x: 10, y: 10 })).toEqual(FIT);
    expect(zoomedAt(FIT, 1000, { x: 0, y: 0 }).scale).toBe(16);
  });
});
