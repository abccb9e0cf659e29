/** A random name, 32 hexadecimal digits: for idempotency keys and what this browser keeps. */
export function newId(): string {
  // `crypto.randomUUID` is missing where a page came over plain http from another machine, as in most own networks.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
