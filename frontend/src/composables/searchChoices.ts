/** Something to choose from a long list; `words` is what it is also found by. */
export interface Choice {
  readonly value: string;
  readonly label: string;
  readonly words?: string;
}

/** Those that have every word of the search, those that begin with it first. */
export function searchChoices(choices: readonly Choice[], search: string): readonly Choice[] {
  const wanted = plain(search).split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return choices;
  const begins = (choice: Choice): number => (plain(choice.label).startsWith(wanted.join(" ")) ? 0 : 1);
  return choices
    .filter((choice) => {
      const words = plain(`${choice.label} ${choice.words ?? ""}`);
      return wanted.every((word) => words.includes(word));
    })
    .toSorted((a, b) => begins(a) - begins(b));
}

/** Without case and accents: "espanol" finds "Español". */
function plain(text: string): string {
  return text.normalize("NFD").replace(/\p{Mn}/gu, "").toLowerCase().trim();
}
