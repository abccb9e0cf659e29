import { shallowReactive, shallowRef, toValue, watch, type MaybeRefOrGetter, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { getPicture } from "@/api/pictures";
import type { PictureDetail } from "@/api/types";

/** How a picture was made never changes: read once, for all who look at it again. */
const known = shallowReactive(new Map<string, PictureDetail>());

export interface UsePictureDetail {
  /** null while it is read. */
  detail: ShallowRef<PictureDetail | null>;
  error: ShallowRef<ApiError | null>;
}

/** A picture with all that made it. */
export function usePictureDetail(id: MaybeRefOrGetter<string | null>): UsePictureDetail {
  const detail = shallowRef<PictureDetail | null>(null);
  const error = shallowRef<ApiError | null>(null);

  async function read(wanted: string): Promise<void> {
    try {
      const found = known.get(wanted) ?? (await getPicture(wanted));
      known.set(wanted, found);
      if (toValue(id) === wanted) detail.value = found;
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      if (toValue(id) === wanted) error.value = reason;
    }
  }

  watch(
    () => toValue(id),
    (wanted) => {
      detail.value = null;
      error.value = null;
      if (wanted !== null) void read(wanted);
    },
    { immediate: true },
  );
  return { detail, error };
}
