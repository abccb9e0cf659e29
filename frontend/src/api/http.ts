/** One way to ask the server: JSON in, JSON out, one error class. */

/** The server answered with an error, or (code `offline`, status 0) did not answer. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly field: string | null;
  readonly requestId: string | null;
  readonly retryAfterS: number | null;

  constructor(
    message: string,
    about: { status: number; code: string; field?: string; requestId?: string; retryAfterS?: number },
  ) {
    super(message);
    this.name = "ApiError";
    this.status = about.status;
    this.code = about.code;
    this.field = about.field ?? null;
    this.requestId = about.requestId ?? null;
    this.retryAfterS = about.retryAfterS ?? null;
  }
}

/** Of all that outlives a page together browsers take 64 kB. */
const OUTLIVING_MAX = 16_000;

let signedOut: () => void = () => undefined;

/** Who is told when the server no longer knows us. */
export function onSignedOut(tell: () => void): void {
  signedOut = tell;
}

export interface Ask {
  method?: "GET" | "POST" | "PATCH" | "DELETE";
  query?: Record<string, string | undefined>;
  json?: unknown;
  form?: FormData;
  headers?: Record<string, string>;
}

/** Ask the server; `null` for an empty answer. Throws ApiError. */
export async function ask<T>(path: string, { method = "GET", query = {}, json, form, headers = {} }: Ask = {}): Promise<T> {
  const body = form ?? (json === undefined ? null : JSON.stringify(json));
  // What was changed or deleted here reaches the server also when the page is left in the same moment.
  const keepalive = (method === "PATCH" || method === "DELETE") && (body === null || (typeof body === "string" && body.length < OUTLIVING_MAX));
  let response: Response;
  try {
    response = await fetch(withQuery(path, query), {
      method,
      keepalive,
      credentials: "same-origin",
      headers: {
        Accept: "application/json",
        "Accept-Language": document.documentElement.lang,
        ...(json === undefined ? {} : { "Content-Type": "application/json" }),
        ...(method === "GET" ? {} : { "X-CSRFToken": csrfToken() }),
        ...headers,
      },
      body,
    });
  } catch (reason) {
    // fetch throws a TypeError for every network failure and tells no more than that.
    if (reason instanceof TypeError) throw new ApiError(reason.message, { status: 0, code: "offline" });
    throw reason;
  }
  const answer = await readBody(response);
  if (response.status === 401) signedOut();
  if (!response.ok) throw errorOf(response, answer);
  return answer as T;
}

/** A file of the server. Throws ApiError. */
export async function askFile(path: string): Promise<Blob> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin" });
  } catch (reason) {
    if (reason instanceof TypeError) throw new ApiError(reason.message, { status: 0, code: "offline" });
    throw reason;
  }
  if (response.status === 401) signedOut();
  if (!response.ok) throw errorOf(response, await readBody(response));
  return response.blob();
}

function withQuery(path: string, query: Record<string, string | undefined>): string {
  const pairs = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return pairs.length === 0 ? path : `${path}?${new URLSearchParams(pairs).toString()}`;
}

export function csrfToken(cookies = document.cookie): string {
  const pair = cookies.split("; ").find((cookie) => cookie.startsWith("csrftoken="));
  return pair === undefined ? "" : decodeURIComponent(pair.slice("csrftoken=".length));
}

async function readBody(response: Response): Promise<unknown> {
  const text = await response.text();
  if (text === "") return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // A proxy's HTML page instead of our JSON: its status says enough.
    return null;
  }
}

function errorOf(response: Response, body: unknown): ApiError {
  const error = (body as { error?: { code?: string; message?: string; field?: string; request_id?: string } } | null)?.error;
  const retryAfter = Number(response.headers.get("Retry-After") ?? Number.NaN);
  return new ApiError(error?.message ?? `${response.status} ${response.statusText}`, {
    status: response.status,
    code: error?.code ?? `http_${response.status}`,
    ...(error?.field === undefined ? {} : { field: error.field }),
    ...(error?.request_id === undefined ? {} : { requestId: error.request_id }),
    ...(Number.isFinite(retryAfter) ? { retryAfterS: retryAfter } : {}),
  });
}
