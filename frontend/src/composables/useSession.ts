import { defineStore } from "pinia";
import { computed, ref, shallowRef } from "vue";

import { ApiError, onSignedOut } from "@/api/http";
import * as api from "@/api/session";
import type { Session } from "@/api/types";

/** Who is signed in, and where. */
export const useSession = defineStore("session", () => {
  const session = shallowRef<Session | null>(null);
  const state = ref<"unknown" | "known">("unknown");
  const user = computed(() => session.value?.user ?? null);
  const workspace = computed(() => session.value?.workspace ?? null);
  let asking: Promise<void> | null = null;

  onSignedOut(() => {
    session.value = null;
  });

  function know(found: Session | null): void {
    // The same person again must not look like a new one to those who watch.
    if (found?.user.id !== session.value?.user.id || found === null) session.value = found;
    state.value = "known";
  }

  async function read(): Promise<void> {
    know(await api.readSession());
  }

  /** Ask the server. Throws ApiError when it cannot be reached. */
  async function load(): Promise<void> {
    asking ??= read().finally(() => {
      asking = null;
    });
    await asking;
  }

  /** Look whether the session still stands; an unreachable server changes nothing. */
  async function check(): Promise<void> {
    try {
      await load();
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
    }
  }

  async function signIn(email: string, password: string): Promise<void> {
    know(await api.signIn(email, password));
  }

  async function welcome(admin: api.FirstAdmin): Promise<void> {
    know(await api.welcome(admin));
  }

  async function signOut(): Promise<void> {
    await api.signOut();
    session.value = null;
  }

  return { user, workspace, state, load, check, signIn, welcome, signOut };
});
