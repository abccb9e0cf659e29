import { ApiError, ask } from "@/api/http";
import type { Session } from "@/api/types";

const PATH = "/api/v1/session";

/** Who is signed in; asking also sets the CSRF cookie that every later change needs. */
export async function readSession(): Promise<Session | null> {
  try {
    return await ask<Session>(PATH);
  } catch (reason) {
    if (reason instanceof ApiError && reason.status === 401) return null;
    throw reason;
  }
}

export async function signIn(email: string, password: string): Promise<Session> {
  return ask<Session>(PATH, { method: "POST", json: { email, password } });
}

export async function signOut(): Promise<void> {
  await ask<null>(PATH, { method: "DELETE" });
}

export interface FirstAdmin {
  token: string;
  email: string;
  password: string;
  name: string;
}

/** Make the first admin with the one-time link's token; signs in too. */
export async function welcome(admin: FirstAdmin): Promise<Session> {
  return ask<Session>("/api/v1/welcome", { method: "POST", json: admin });
}
