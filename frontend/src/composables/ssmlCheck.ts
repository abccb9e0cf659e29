/** What the server would refuse in SSML, said while it is typed. */

export type SsmlFault =
  | { kind: "xml"; message: string }
  | { kind: "root"; name: string }
  | { kind: "element"; name: string }
  | { kind: "attribute"; name: string; element: string };

/** The first fault by the elements that the offer names; null where there is none. */
export function checkSsml(ssml: string, elements: Readonly<Record<string, readonly string[]>>): SsmlFault | null {
  const document = new DOMParser().parseFromString(ssml, "application/xml");
  const broken = document.querySelector("parsererror");
  if (broken !== null) return { kind: "xml", message: reasonOf(broken) };
  if (document.documentElement.localName !== "speak") return { kind: "root", name: document.documentElement.localName };
  for (const each of document.querySelectorAll("*")) {
    const known = elements[each.localName];
    if (known === undefined) return { kind: "element", name: each.localName };
    // Of <speak> any attribute is passed over: name spaces, version, schema.
    const odd = each.localName === "speak" ? undefined : [...each.attributes].find(({ name }) => !known.includes(name));
    if (odd !== undefined) return { kind: "attribute", name: odd.name, element: each.localName };
  }
  return null;
}

/** What an SSML document says; the text as it is where it is no XML. */
export function wordsOfSsml(ssml: string): string {
  const document = new DOMParser().parseFromString(ssml, "application/xml");
  if (document.querySelector("parsererror") !== null) return ssml;
  return document.documentElement.textContent.replace(/\s+/g, " ").trim();
}

/** "line 1, column 9: …" of the browsers' long words. */
function reasonOf(broken: Element): string {
  const said = (broken.querySelector("div") ?? broken).textContent;
  return said.replace(/\s+/g, " ").trim().slice(0, 160);
}
