/** The product as far as the stores talk to it: jobs, conversations and the socket. */

import { createPinia, setActivePinia } from "pinia";
import { vi } from "vitest";
import { nextTick } from "vue";

import type { Assistant, ChatJob, Conversation, Folder, Message } from "@/api/types";
import { blank } from "@/composables/outbox";
import { useJobs } from "@/composables/useJobs";
import { useSession } from "@/composables/useSession";

type Body = Record<string, unknown>;
type Answer = [status: number, body: unknown];
interface Stored extends Conversation {
  messages: Message[];
  deleted?: boolean;
}

const NOT_FOUND: Answer = [404, { error: { code: "not_found", message: "There is no such thing." } }];
const AWAY: Answer = [503, { error: { code: "unavailable", message: "Redis does not answer." } }];

const optional = (limits: Body): Body => ({ anyOf: [limits, { type: "null" }], default: null });
export const CHAT_SCHEMA = {
  max_tokens: { type: "integer", minimum: 1, maximum: 131_072, default: 1024 },
  temperature: optional({ type: "number", minimum: 0, maximum: 2 }),
  top_p: optional({ type: "number", exclusiveMinimum: 0, maximum: 1 }),
  seed: optional({ type: "integer", minimum: 0, exclusiveMaximum: 2 ** 63 }),
};

export class FakeServer {
  jobs = new Map<string, ChatJob>();
  conversations = new Map<string, Stored>();
  folders: Folder[] = [];
  assistants: Assistant[] = [];
  private readonly gone: (Folder | Assistant)[] = [];
  /** What a key has made. */
  keys = new Map<string, unknown>();
  /** "METHOD path" of all that was asked. */
  asked: string[] = [];
  bodies: Body[] = [];
  /** What is asked now does not arrive. */
  down = false;
  /** The next POST is done and its answer is lost on the way: the worst moment for a connection to break. */
  loseNextAnswer = false;
  /** Changes are refused. */
  refuses = false;
  /** The answer to a change that is wrong. */
  refusal: Answer | null = null;
  private clock = Date.parse("2026-01-01T00:00:00Z");

  readonly fetch = (address: string, init: RequestInit = {}): Promise<Response> => {
    const { pathname, searchParams } = new URL(address, "http://studio");
    const method = init.method ?? "GET";
    this.asked.push(`${method} ${pathname}`);
    if (this.down) return Promise.reject(new TypeError("network"));
    const body = typeof init.body === "string" ? (JSON.parse(init.body) as Body) : {};
    if (method !== "GET") this.bodies.push(body);
    const key = new Headers(init.headers).get("Idempotency-Key");
    const [status, answer] = this.once(key, () => this.answer(method, pathname.replace("/api/v1/", "").split("/"), searchParams, body));
    if (this.loseNextAnswer && method === "POST") {
      this.loseNextAnswer = false;
      return Promise.reject(new TypeError("network"));
    }
    return Promise.resolve(new Response(status === 204 ? null : JSON.stringify(answer), { status }));
  };

  private once(key: string | null, act: () => Answer): Answer {
    if (key !== null && this.keys.has(key)) return [201, this.keys.get(key)];
    const answer = act();
    if (key !== null && answer[0] < 300) this.keys.set(key, answer[1]);
    return answer;
  }

  private answer(method: string, parts: string[], query: URLSearchParams, body: Body): Answer {
    const [kind = "", id = "", action = "", message = "", verb = ""] = parts;
    if (kind === "session") return [200, { user: { id: "u", email: "a@b", name: "A", is_staff: false }, workspace: { id: "w", name: "W", role: "owner" } }];
    if (kind === "kinds") return [200, { chat: { properties: CHAT_SCHEMA } }];
    if (kind === "jobs") return this.job(method, id, action, body);
    if (method !== "GET" && this.refuses) return AWAY;
    if (kind === "folders") return this.kept(this.folders, method, id, action, { conversations: 0, ...body });
    if (kind === "assistants" && id === "import") return this.modelfile(action, body);
    if (kind === "assistants") return this.kept(this.assistants, method, id, action, body);
    if (id === "") return method === "POST" ? this.start(body) : [200, { results: this.listed(query), next: null }];
    if (id === "import") return [201, this.imported(body)];
    const found = this.conversations.get(id);
    if (found === undefined || (found.deleted === true && action !== "restore")) return NOT_FOUND;
    if (action === "restore") return [200, this.restored(found)];
    if (action !== "messages") return this.whole(method, found, body);
    if (verb === "again") return [201, this.again(found, message, body)];
    if (method === "PATCH") return [200, Object.assign(this.messageOf(found, message), body)];
    return [201, this.asks(found, body)];
  }

  /** Several models: the conversation's end is the question until an answer is kept. */
  private asks(found: Stored, body: Body): { conversation: Conversation; messages: Message[] } {
    const messages = this.exchange(body);
    const answer = this.added(found, messages);
    if (messages.length < 3) return answer;
    found.current = messages[0]?.id ?? null;
    return { ...answer, conversation: structuredClone(rowOf(found)) };
  }

  private again(found: Stored, message: string, body: Body): { conversation: Conversation; messages: Message[] } {
    const question = this.parentOf(found, message);
    const answer = this.added(found, [this.reply(question)]);
    if (body["side_by_side"] !== true) return answer;
    found.current = question;
    return { ...answer, conversation: structuredClone(rowOf(found)) };
  }

  /** Folders or assistants: what is deleted comes back by restore. */
  private kept(all: (Folder | Assistant)[], method: string, id: string, action: string, body: Body): Answer {
    if (id === "" && method === "GET") return [200, { results: all }];
    if (id === "") return [201, all[all.push({ id: `kept-${all.length + this.gone.length + 1}`, ...body } as Folder | Assistant) - 1]];
    const found = all.find((each) => each.id === id) ?? this.gone.find((each) => each.id === id);
    if (found === undefined) return NOT_FOUND;
    if (method === "PATCH") return [200, Object.assign(found, body)];
    if (action === "restore") return [200, all[all.push(found) - 1]];
    this.gone.push(...all.splice(all.indexOf(found), 1));
    return [204, null];
  }

  /** Takes over SYSTEM and nothing else. */
  private modelfile(action: string, body: Body): Answer {
    const lines = String(body["modelfile"]).split("\n");
    const system = lines.filter((line) => line.startsWith("SYSTEM ")).map((line) => line.slice(7))[0] ?? "";
    const notes = lines.flatMap((line, index) => (line.startsWith("SYSTEM ") ? [] : [{ line: index + 1, message: `${line} is no instruction.` }]));
    const taken = { model: "", system, params: {}, opening: [] };
    if (action === "check") return [200, { ...taken, notes }];
    const assistant = { id: `kept-${this.assistants.length + 1}`, name: String(body["name"]), description: "", ...taken };
    this.assistants.push(assistant);
    return [201, { assistant, notes }];
  }

  private job(method: string, id: string, action: string, body: Body): Answer {
    if (id === "" && method === "POST") return [202, this.addJob(body["input"] as ChatJob["input"])];
    if (id === "") return [200, { results: [...this.jobs.values()].filter((job) => job.status !== "succeeded"), next: null }];
    if (action === "cancel" && this.refuses) return AWAY;
    const job = this.jobs.get(id);
    return job === undefined ? NOT_FOUND : [200, job];
  }

  private whole(method: string, found: Stored, body: Body): Answer {
    if (method === "GET") return [200, found];
    if (method === "PATCH") return this.refusal ?? [200, rowOf(Object.assign(found, body, { updated_at: this.now() }))];
    found.deleted = true;
    return [204, null];
  }

  private listed(query: URLSearchParams): Conversation[] {
    const search = query.get("search") ?? "";
    const job = query.get("job");
    const found = [...this.conversations.values()].filter((each) => each.deleted !== true);
    if (job !== null) return found.filter((each) => each.messages.some((message) => message.job === job)).map(rowOf);
    const folder = query.get("folder");
    const filed = found.filter((each) => folder === null || (this.folders.some(({ id }) => id === each.folder) ? each.folder : "none") === folder);
    return filed.filter((each) => each.archived === (query.get("archived") === "true") && each.title.includes(search)).map(rowOf);
  }

  private start(body: Body): Answer {
    const { system = "", params = {}, assistant = null } = body as Partial<Stored>;
    const made = this.addConversation({ title: String(body["content"]), system, params, assistant });
    this.asks(made, body);
    return [201, made];
  }

  private imported(body: Body): Stored {
    return this.addConversation({ title: String(body["title"]), current: body["current"] as string, messages: (body["messages"] as Message[]).map((each) => ({ ...blank(this.now()), ...each })) });
  }

  private restored(found: Stored): Conversation {
    found.deleted = false;
    return rowOf(found);
  }

  private exchange(body: Body): Message[] {
    const question = { ...this.blank(), parent: (body["parent"] as string | undefined) ?? null, content: String(body["content"]), images: (body["images"] as string[] | undefined) ?? [] };
    const models = (body["models"] as string[] | undefined) ?? [(body["model"] as string | undefined) ?? "demo"];
    return [question, ...models.map((model) => ({ ...this.reply(question.id, question.content), model }))];
  }

  private reply(question: string | null, content = ""): Message {
    const job = this.addJob({ messages: [{ role: "user", content }] });
    return { ...this.blank(), parent: question, role: "assistant", state: "running", job: job.id, model: "demo" };
  }

  private added(found: Stored, messages: Message[]): { conversation: Conversation; messages: Message[] } {
    found.messages.push(...messages);
    found.current = messages.at(-1)?.id ?? null;
    found.updated_at = this.now();
    return structuredClone({ conversation: rowOf(found), messages });
  }

  private parentOf(found: Stored, message: string): string | null {
    return this.messageOf(found, message).parent;
  }

  private messageOf(found: Stored, id: string): Message {
    const message = found.messages.find((each) => each.id === id);
    if (message === undefined) throw new Error(`no message ${id}`);
    return message;
  }

  private blank(): Message {
    const made = [...this.conversations.values()].flatMap((each) => each.messages).length + this.jobs.size;
    return { ...blank(this.now()), id: `message-${made}-${this.clock % 100_000}` };
  }

  private now(): string {
    this.clock += 1000;
    return new Date(this.clock).toISOString();
  }

  addConversation(known: Partial<Stored>): Stored {
    const at = this.now();
    const row = { id: `conversation-${this.conversations.size + 1}`, title: "", titled: false, model: "demo", system: "", params: {}, pinned: false, archived: false };
    const made: Stored = { ...row, assistant: null, folder: null, current: null, created_at: at, updated_at: at, messages: [], ...known };
    this.conversations.set(made.id, made);
    return made;
  }

  addJob(input: ChatJob["input"]): ChatJob {
    const id = `job-${this.jobs.size + 1}`;
    const job: ChatJob = { id, kind: "chat", status: "queued", attempt: 1, model: "demo", tier: "interactive", created_at: this.now(), started_at: null, finished_at: null, input };
    this.jobs.set(id, job);
    return job;
  }
}

function rowOf(stored: Stored): Conversation {
  const row: Partial<Stored> = { ...stored };
  delete row.messages;
  delete row.deleted;
  return row as Conversation;
}

export class FakeSocket {
  static last: FakeSocket | undefined;
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly sent: Body[] = [];

  constructor() {
    FakeSocket.last = this;
  }

  send(data: string): void {
    const frame = JSON.parse(data) as Body;
    this.sent.push(frame);
    if (frame["op"] === "watch") this.onmessage?.({ data: JSON.stringify({ op: "watching" }) });
  }

  close(): void {
    this.readyState = 3;
  }

  accept(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  /** Something has changed elsewhere. */
  tell(notice: Body): void {
    this.onmessage?.({ data: JSON.stringify({ op: "changed", ...notice }) });
  }

  say(job: string, id: string, type: string, data: unknown): void {
    this.onmessage?.({ data: JSON.stringify({ op: "event", job, id, type, data }) });
  }
}

export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await vi.advanceTimersByTimeAsync(20);
  await nextTick();
}

export function socket(): FakeSocket {
  if (FakeSocket.last === undefined) throw new Error("no socket yet");
  return FakeSocket.last;
}

/** A page of this browser, its socket connected; again, it is the page loaded anew. */
export async function openPage(): Promise<void> {
  setActivePinia(createPinia());
  await useSession().load();
  useJobs();
  await settle();
  socket().accept();
  await settle();
}

export function finish(id: string, text: string, first = 1): void {
  socket().say(id, `1-${first}`, "started", { attempt: 1, model: "demo" });
  socket().say(id, `1-${first + 1}`, "delta", { text });
  socket().say(id, `1-${first + 2}`, "finished", { usage: { completion_tokens: 2 } });
}

/** A server and a page of its own for each test. */
export async function begin(): Promise<FakeServer> {
  vi.useFakeTimers();
  const server = new FakeServer();
  vi.stubGlobal("fetch", server.fetch);
  vi.stubGlobal("WebSocket", FakeSocket);
  localStorage.clear();
  await openPage();
  return server;
}

export function end(): void {
  vi.unstubAllGlobals();
  vi.useRealTimers();
}
