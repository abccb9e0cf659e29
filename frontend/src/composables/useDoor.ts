import { ref, shallowRef, type Ref, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";

export interface UseDoor {
  busy: Ref<boolean>;
  error: ShallowRef<ApiError | null>;
  /** The server's words on this field, if it was this field. */
  fault: (field: string) => string | undefined;
  /** Run the request; true when it succeeded. */
  enter: () => Promise<boolean>;
}

/** A form that signs somebody in: busy, wrong, or through. */
export function useDoor(request: () => Promise<void>): UseDoor {
  const busy = ref(false);
  const error = shallowRef<ApiError | null>(null);

  async function enter(): Promise<boolean> {
    if (busy.value) return false;
    busy.value = true;
    error.value = null;
    try {
      await request();
      return true;
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
      return false;
    } finally {
      busy.value = false;
    }
  }

  function fault(field: string): string | undefined {
    return error.value?.field === field ? error.value.message : undefined;
  }

  return { busy, error, fault, enter };
}
