import { useLocalStorage } from "@vueuse/core";
import { computed, ref, shallowRef, toRaw, watch, type ComputedRef, type Ref, type ShallowRef } from "vue";

import type { AssistantFields } from "@/api/assistants";
import { ApiError } from "@/api/http";
import type { Assistant, AnswerParams, Turn } from "@/api/types";
import { useAssistants } from "@/composables/useAssistants";

/** The numbers of an answer with their limits, as the server has them. */
export const NUMBERS = {
  temperature: { min: 0, max: 2, step: 0.05 },
  top_p: { min: 0.05, max: 1, step: 0.05 },
  top_k: { min: 1, max: 1000, step: 1 },
  repetition_penalty: { min: 0.5, max: 2, step: 0.05 },
  max_tokens: { min: 1, max: 131_072, step: 1 },
  seed: { min: 0, max: Number.MAX_SAFE_INTEGER, step: 1 },
} as const;

export type NumberName = keyof typeof NUMBERS;
export const NUMBER_NAMES = Object.keys(NUMBERS) as NumberName[];

export interface AssistantForm {
  name: string;
  description: string;
  model: string;
  system: string;
  /** What is empty is the model's own choice. */
  numbers: Record<NumberName, number | "">;
  /** One on each line. */
  stop: string;
  opening: Turn[];
}

const SERIALIZER = {
  read: (raw: string) => JSON.parse(raw) as AssistantForm | null,
  write: (value: AssistantForm | null) => JSON.stringify(value),
};

export function formOf(assistant: Assistant | null): AssistantForm {
  const { name = "", description = "", model = "", system = "", params = {}, opening = [] } = assistant ?? {};
  const numbers = Object.fromEntries(NUMBER_NAMES.map((each) => [each, params[each] ?? ""])) as AssistantForm["numbers"];
  return { name, description, model, system, numbers, stop: (params.stop ?? []).join("\n"), opening: opening.map((turn) => ({ ...turn })) };
}

export function fieldsOf({ name, description, model, system, numbers, stop, opening }: AssistantForm): AssistantFields {
  const chosen = NUMBER_NAMES.map((each) => [each, numbers[each]] as const).filter(([, value]) => value !== "");
  const stops = stop.split("\n").filter((line) => line.trim() !== "");
  const params = { ...(Object.fromEntries(chosen) as AnswerParams), ...(stops.length > 0 ? { stop: stops } : {}) };
  const said = opening.filter((turn) => turn.content.trim() !== "");
  return { name: name.trim(), description: description.trim(), model, system, params, opening: said };
}

export interface UseAssistantForm {
  form: Ref<AssistantForm>;
  /** Something differs from what is kept on the server. */
  dirty: ComputedRef<boolean>;
  state: Ref<"idle" | "saving">;
  error: ShallowRef<ApiError | null>;
  /** Keep it; null when the server refused, which `error` explains. */
  save: () => Promise<Assistant | null>;
  discard: () => void;
}

/** The form of one assistant, null for a new one. What is typed and not saved stays in this browser. */
export function useAssistantForm(assistant: () => Assistant | null): UseAssistantForm {
  const assistants = useAssistants();
  const id = assistant()?.id ?? null;
  const draft = useLocalStorage<AssistantForm | null>(`studio.assistant.${id ?? "new"}`, null, { serializer: SERIALIZER });
  const form = ref(structuredClone(toRaw(draft.value)) ?? formOf(assistant()));
  const state = ref<"idle" | "saving">("idle");
  const error = shallowRef<ApiError | null>(null);

  const dirty = computed(() => JSON.stringify(form.value) !== JSON.stringify(formOf(assistant())));
  watch(
    form,
    (now) => {
      draft.value = dirty.value ? (JSON.parse(JSON.stringify(now)) as AssistantForm) : null;
    },
    { deep: true },
  );

  async function save(): Promise<Assistant | null> {
    if (state.value === "saving") return null;
    state.value = "saving";
    error.value = null;
    try {
      const kept = await assistants.save(id, fieldsOf(form.value));
      draft.value = null;
      form.value = formOf(kept);
      return kept;
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      error.value = reason;
      return null;
    } finally {
      state.value = "idle";
    }
  }

  function discard(): void {
    error.value = null;
    form.value = formOf(assistant());
  }

  return { form, dirty, state, error, save, discard };
}
