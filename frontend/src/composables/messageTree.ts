/** Walking a conversation: a tree of messages, oldest first in its list, of which one branch is shown. */

export interface TreeMessage {
  readonly id: string;
  readonly parent: string | null;
  readonly role: "user" | "assistant";
}

/** The branch that ends with `end`, from its first question on. */
export function pathTo<M extends TreeMessage>(messages: readonly M[], end: string | null): M[] {
  const byId = new Map(messages.map((each) => [each.id, each]));
  const path: M[] = [];
  for (let next = byId.get(end ?? ""); next !== undefined; next = byId.get(next.parent ?? "")) path.push(next);
  return path.reverse();
}

/** By the id of a message, the ids of all that stand beside it: edits of a question, or answers to the same one. */
export function branchesOf(messages: readonly TreeMessage[]): ReadonlyMap<string, readonly string[]> {
  const beside = new Map<string, string[]>();
  for (const { id, parent, role } of messages) {
    const place = `${role} ${parent ?? ""}`;
    beside.set(place, [...(beside.get(place) ?? []), id]);
  }
  return new Map([...beside.values()].flatMap((ids) => ids.map((id) => [id, ids])));
}

/** The newest end of the branches that go through this message. */
export function newestEndBelow(messages: readonly TreeMessage[], id: string): string {
  const parents = new Set(messages.map((each) => each.parent));
  const newest = messages.findLast((each) => !parents.has(each.id) && pathTo(messages, each.id).some((above) => above.id === id));
  return newest?.id ?? id;
}
