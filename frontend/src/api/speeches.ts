import { ask } from "@/api/http";
import { askPage } from "@/api/pages";
import type { AudioFormat, Page, SpeechOffer, VoiceJob } from "@/api/types";

const PATH = "/api/v1/speeches";

/** What can be chosen; not `known` while a worker finds out. */
export async function getSpeechOffer(model: string): Promise<SpeechOffer> {
  return ask<SpeechOffer>("/api/v1/speech-offer", { query: { model } });
}

/** One's own speeches, newest first; with `search`, those that say it. */
export async function listSpeeches({ search, cursor }: { search?: string; cursor?: string }): Promise<Page<VoiceJob>> {
  return askPage(PATH, { search, cursor });
}

/** Hide it; it can be restored for ten minutes and is erased then. */
export async function deleteSpeech(id: string): Promise<void> {
  await ask<null>(addressOf(id), { method: "DELETE" });
}

export async function restoreSpeech(id: string): Promise<void> {
  await ask<null>(`${addressOf(id)}/restore`, { method: "POST" });
}

/** Where the speech is downloaded in a format, whatever format it was made in. */
export function soundAddress(id: string, format: AudioFormat): string {
  return `${addressOf(id)}/audio?as=${format}`;
}

function addressOf(id: string): string {
  return `${PATH}/${encodeURIComponent(id)}`;
}
