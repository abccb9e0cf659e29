import { describe, expect, it } from "vitest";

import { branchesOf, newestEndBelow, pathTo, type TreeMessage } from "@/composables/messageTree";

function message(id: string, parent: string | null): TreeMessage {
  return { id, parent, role: id.startsWith("q") ? "user" : "assistant" };
}

/** Two first questions; the first was answered twice, and its first answer was asked on. */
const TREE = [message("q1", null), message("a1", "q1"), message("q2", "a1"), message("a2", "q2"), message("a1b", "q1"), message("q1b", null), message("a3", "q1b")];

describe("a tree of messages", () => {
  it("shows the branch that ends with a message", () => {
    expect(pathTo(TREE, "a2").map((each) => each.id)).toEqual(["q1", "a1", "q2", "a2"]);
    expect(pathTo(TREE, "gone")).toEqual([]);
    expect(pathTo(TREE, null)).toEqual([]);
  });

  it("has branches where messages share a parent", () => {
    const branches = branchesOf(TREE);
    expect([branches.get("q1"), branches.get("a1b"), branches.get("q2")]).toEqual([["q1", "q1b"], ["a1", "a1b"], ["q2"]]);
  });

  it("goes on to the newest end below a message", () => {
    expect(newestEndBelow(TREE, "a1")).toBe("a2");
    expect(newestEndBelow(TREE, "q1")).toBe("a1b");
    expect(newestEndBelow(TREE, "a3")).toBe("a3");
  });
});
