import { createPinia, setActivePinia } from "pinia";
import { beforeEach, describe, expect, it } from "vitest";
import { ref } from "vue";

import { useFold } from "@/composables/useFold";

beforeEach(() => {
  setActivePinia(createPinia());
});

describe("a fold", () => {
  it("is open as long as it is written, and closed afterwards", () => {
    const written = ref(true);
    const open = useFold("reasoning 1", written);
    expect(open.value).toBe(true);
    written.value = false;
    expect(open.value).toBe(false);
  });

  it("is as the reader left it when its row comes back into sight", () => {
    useFold("reasoning 1").value = true;
    expect(useFold("reasoning 1").value).toBe(true);
    expect(useFold("reasoning 2").value).toBe(false);
  });
});
