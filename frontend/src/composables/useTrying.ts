import { shallowRef, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";

export interface UseTrying {
  /** Why the last act was refused. */
  error: ShallowRef<ApiError | null>;
  /** Do what the server may refuse; then undo what was shown already, and say why. Whether it was done. */
  trying: (act: () => Promise<void>, undo?: () => void) => Promise<boolean>;
}

/** Acts that are shown before the server has agreed. */
export function useTrying(): UseTrying {
  const error = shallowRef<ApiError | null>(null);

  async function trying(act: () => Promise<void>, undo: () => void = () => undefined): Promise<boolean> {
    error.value = null;
    try {
      await act();
      return true;
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      undo();
      error.value = reason;
      return false;
    }
  }

  return { error, trying };
}

/** Do it if the server lets us; what is refused or offline now is asked for again by who needs it. */
export async function ifPossible(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (reason) {
    if (!(reason instanceof ApiError)) throw reason;
  }
}
