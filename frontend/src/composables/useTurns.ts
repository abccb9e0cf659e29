export interface Turns {
  /** Act once what was begun before on this thing is done. */
  inTurn: (thing: string, act: () => Promise<unknown>) => Promise<void>;
  /** Until nothing is under way on this thing. */
  idle: (thing: string) => Promise<unknown> | undefined;
}

/** One request at a time on each thing: two on their way at once may arrive in any order. */
export function useTurns(): Turns {
  const under = new Map<string, Promise<unknown>>();

  async function inTurn(thing: string, act: () => Promise<unknown>): Promise<void> {
    const mine = (under.get(thing) ?? Promise.resolve()).then(act);
    under.set(thing, mine);
    await mine;
    if (under.get(thing) === mine) under.delete(thing);
  }

  return { inTurn, idle: (thing) => under.get(thing) };
}
