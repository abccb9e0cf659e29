import { ask } from "@/api/http";

/** The part of a JSON schema that limits a number. */
export interface NumberSchema {
  type?: string;
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  exclusiveMaximum?: number;
  default?: number | null;
  /** Of an optional number. */
  anyOf?: NumberSchema[];
}

interface KindSchema {
  properties: Record<string, NumberSchema>;
}

/** What each field of a chat job may hold. */
export async function readChatSchema(): Promise<Record<string, NumberSchema>> {
  return (await ask<{ chat: KindSchema }>("/api/v1/kinds")).chat.properties;
}
