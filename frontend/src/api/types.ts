/** What the REST API says, in its own words. The studio issue replaces this file by types made from OpenAPI. */

export type Medium = "chat" | "image" | "voice";
export const MEDIA: readonly Medium[] = ["chat", "image", "voice"];

export type JobStatus = "queued" | "running" | "succeeded" | "failed" | "cancelled" | "blocked";

export interface Turn {
  role: "system" | "user" | "assistant";
  content: string;
}

export interface ChatInput {
  messages: Turn[];
  max_tokens?: number;
  temperature?: number;
  top_p?: number;
}

export interface ImageInput {
  prompt: string;
  negative_prompt?: string;
  width?: number;
  height?: number;
  steps?: number;
  guidance?: number;
  seed?: number;
  count?: number;
  scheduler?: string;
  /** Id of an upload to start from. */
  image?: string;
  strength?: number;
}

export type AudioFormat = "wav" | "mp3" | "ogg";

export interface VoiceInput {
  text?: string;
  ssml?: string;
  language?: string;
  voice?: string;
  speed?: number;
  pitch?: number;
  volume?: number;
  format?: AudioFormat;
}

export interface InputOf {
  chat: ChatInput;
  image: ImageInput;
  voice: VoiceInput;
}

export interface Artifact {
  id: string;
  url: string;
  media_type: string;
  width?: number;
  height?: number;
  seed?: number;
  duration_s?: number;
}

export interface Usage {
  prompt_tokens?: number;
  completion_tokens?: number;
  /** From the start of the work to the first piece of it. */
  first_chunk_s?: number;
  run_s?: number;
  [counted: string]: unknown;
}

export interface JobError {
  code: string;
  message: string;
  retryable?: boolean;
  rule?: string;
}

export interface JobResult {
  text?: string;
  reasoning?: string;
  finish_reason?: string;
  confidence?: number | null;
  usage?: Usage;
  artifacts?: Artifact[];
}

interface JobOf<K extends Medium> {
  id: string;
  kind: K;
  status: JobStatus;
  attempt: number;
  model: string | null;
  position?: number | null;
  eta_s?: number | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  input: InputOf[K];
  result?: JobResult | null;
  error?: JobError | null;
}

export type ChatJob = JobOf<"chat">;
export type ImageJob = JobOf<"image">;
export type VoiceJob = JobOf<"voice">;
export type Job = ChatJob | ImageJob | VoiceJob;

export interface Page<T> {
  results: T[];
  next: string | null;
}

export type MessageState = "running" | "done" | "stopped" | "failed" | "blocked";
export type Rating = -1 | 0 | 1;

/** One side's turn. Several with one parent are branches: edited questions, or answers made anew. */
export interface Message {
  id: string;
  parent: string | null;
  role: "user" | "assistant";
  /** Empty while it runs: then the job tells it. */
  content: string;
  created_at: string;
  state: MessageState;
  job: string | null;
  model: string;
  reasoning: string;
  error: { code: string; message: string } | null;
  finish_reason: string;
  usage: Usage;
  confidence: number | null;
  rating: Rating;
  rating_reason: string;
}

export interface Conversation {
  id: string;
  title: string;
  /** Named by its owner or a model; until then its title is the first words. */
  titled: boolean;
  model: string;
  system: string;
  params: Record<string, number>;
  pinned: boolean;
  archived: boolean;
  folder: string | null;
  /** The end of the branch that is shown. */
  current: string | null;
  created_at: string;
  updated_at: string;
}

export interface ConversationDetail extends Conversation {
  /** All branches, oldest message first. */
  messages: Message[];
}

export interface ModelState {
  state: "idle" | "downloading" | "loading" | "ready" | "failed";
  done: number;
  total: number;
  message: string;
}

export interface Model {
  id: string;
  name: string;
  /** What people should know before they choose it. */
  notes: string;
  medium: Medium;
  engine: string;
  /** Where its files or its server are. */
  origin: "built_in" | "demo" | "folder" | "download" | "server";
  /** Empty where only staff may know it. */
  source: string;
  /** A small checkpoint for trying the product. */
  demo: boolean;
  /** Its weights are random: what it makes is noise. */
  random: boolean;
  default: boolean;
  enabled: boolean;
  /** What enabling it downloads; 0 for nothing. */
  size_bytes: number;
  languages: string[];
  options: Record<string, unknown>;
  state: ModelState;
}

export interface Voice {
  id: string;
  name: string;
  language: string;
}

export interface Upload {
  id: string;
  media_type: string;
  width: number | null;
  height: number | null;
}

export interface User {
  id: string;
  email: string;
  name: string;
  /** May use the admin pages. */
  is_staff: boolean;
}

export interface Workspace {
  id: string;
  name: string;
  role: string;
}

export interface Session {
  user: User;
  workspace: Workspace;
}
