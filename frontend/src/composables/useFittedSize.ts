import { useElementSize } from "@vueuse/core";
import { computed, toValue, type ComputedRef, type MaybeRefOrGetter, type Ref } from "vue";

import type { Size } from "@/composables/imageSizes";

/** The largest size of this shape that the room holds, in CSS pixels. */
export function useFittedSize(room: Ref<HTMLElement | null>, shape: MaybeRefOrGetter<Size>): ComputedRef<Size> {
  const { width, height } = useElementSize(room);
  return computed(() => {
    const wanted = toValue(shape);
    const scale = Math.min(width.value / wanted.width, height.value / wanted.height);
    return { width: Math.floor(wanted.width * scale), height: Math.floor(wanted.height * scale) };
  });
}
