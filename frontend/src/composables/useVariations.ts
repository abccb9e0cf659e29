import { ref, type Ref, type ShallowRef } from "vue";

import type { ApiError } from "@/api/http";
import type { PictureDetail } from "@/api/types";
import { useSubmit } from "@/composables/useSubmit";

const COUNT = 4;

export interface UseVariations {
  state: Ref<"no" | "sending" | "sent">;
  error: ShallowRef<ApiError | null>;
  /** Have some more made like this one: all as it was but the seed. */
  vary: (picture: PictureDetail) => Promise<void>;
  /** Another picture is looked at. */
  forget: () => void;
}

/** Variations of a picture; they arrive in the gallery like any other. */
export function useVariations(): UseVariations {
  const { submit, error } = useSubmit("image");
  const state = ref<"no" | "sending" | "sent">("no");

  async function vary(picture: PictureDetail): Promise<void> {
    state.value = "sending";
    const input = { ...picture.input, count: COUNT };
    delete input.seed;
    const made = await submit(input, picture.model);
    state.value = made === null ? "no" : "sent";
  }

  function forget(): void {
    state.value = "no";
  }

  return { state, error, vary, forget };
}
