/** What the REST API says, in the studio's words. The shapes are the server's: `make schema` writes schema.d.ts. */

import type { components } from "@/api/schema";

type Schemas = components["schemas"];

export type Medium = Schemas["Medium"];
export const MEDIA: readonly Medium[] = ["chat", "image", "voice"];

export type JobStatus = Schemas["JobStatus"];
export type Turn = Schemas["Message"];
export type ChatInput = Schemas["ChatInput"];
export type ImageInput = Schemas["ImageInput"];
export type VoiceInput = Schemas["VoiceInput"];
export type AudioFormat = NonNullable<VoiceInput["format"]>;
export const AUDIO_FORMATS: readonly AudioFormat[] = ["wav", "mp3", "ogg"];

export interface InputOf {
  chat: ChatInput;
  image: ImageInput;
  voice: VoiceInput;
}

export type Artifact = Schemas["ArtifactEvent"];
/** A word and when it is heard, in seconds from the start of its sentence or file. */
export type SpokenWord = NonNullable<Artifact["words"]>[number];
export type Usage = Schemas["Usage"];
export type JobError = Schemas["JobError"];
export type JobResult = Schemas["JobResult"];
export type ChatJob = Schemas["ChatJob"];
export type ImageJob = Schemas["ImageJob"];
export type VoiceJob = Schemas["VoiceJob"];
export type Job = Schemas["Job"];

/** A page of a long list, its `next` a cursor: askPage makes it of the server's address. */
export interface Page<T> {
  results: T[];
  next: string | null;
}

export type MessageState = Schemas["MessageState"];
export type Rating = Schemas["RatingEnum"];
/** One side's turn. Several with one parent are branches: edited questions, or answers made anew. */
export type Message = Schemas["MessageOutput"];
export type Conversation = Schemas["ConversationOutput"];
export type ConversationDetail = Schemas["ConversationDetail"];
export type AnswerParams = Schemas["AnswerParams"];
/** How a conversation is asked. */
export type AnswerSettings = Pick<Conversation, "system" | "params">;
export type Folder = Schemas["FolderOutput"];
/** A saved persona; its conversations begin with what it holds. */
export type Assistant = Schemas["AssistantOutput"];

export type Model = Schemas["ModelOutput"];
export type ModelState = Schemas["StateOutput"];
export type Voice = Schemas["VoiceOutput"];
/** A named preset of speed, pitch and volume. */
export type SpeechStyle = Schemas["StyleOutput"];
/** What can be chosen for a speech of a model. */
export type SpeechOffer = Schemas["OfferOutput"];
export type Upload = Schemas["Upload"];

/** A picture as the gallery shows it; its id is its artifact's. */
export type Picture = Schemas["PictureOutput"];
/** A picture with all that made it. */
export type PictureDetail = Schemas["PictureDetail"];
export type PictureCounts = Schemas["CountsOutput"];
export type Board = Schemas["BoardOutput"];

export type User = Schemas["UserOutput"];
export type Workspace = Schemas["WorkspaceOutput"];
export type Session = Schemas["SessionOutput"];
