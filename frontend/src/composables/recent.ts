/** The last few things that were made of a text, so that a message that scrolls back into sight is not made again. */
export class Recent<T> {
  private readonly kept = new Map<string, T>();

  constructor(private readonly most: number) {}

  get(text: string, make: () => T): T {
    const known = this.kept.get(text);
    const value = known ?? make();
    // Anew at the end: what was used longest ago is first and goes first.
    this.kept.delete(text);
    this.kept.set(text, value);
    const oldest = this.kept.keys().next();
    if (this.kept.size > this.most && oldest.done !== true) this.kept.delete(oldest.value);
    return value;
  }
}
