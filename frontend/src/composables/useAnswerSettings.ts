import { useLocalStorage } from "@vueuse/core";
import { computed, reactive, ref, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { readChatSchema } from "@/api/kinds";
import type { AnswerSettings } from "@/api/types";
import { ANSWER_PARAMS, limitsOf, readNumber, type AnswerParam, type Limits, type Reading } from "@/composables/answerParams";
import { useConversations } from "@/composables/useConversations";

const PLAIN: AnswerSettings = { system: "", params: {} };

export interface UseAnswerSettings {
  /** How this conversation is asked; without one, how the next that begins will be. */
  settings: ComputedRef<AnswerSettings>;
  limits: ShallowRef<Partial<Record<AnswerParam, Limits>>>;
  /** What a field shows: what is typed in it, else what is kept. */
  shown: (name: AnswerParam) => string;
  type: (name: AnswerParam, typed: string) => void;
  /** What is wrong in a field. */
  wrong: (name: AnswerParam) => (Reading & { state: "wrong" }) | null;
  /** Keep what was typed in the field, if it is right; an empty field leaves it to the model. */
  keep: (name: AnswerParam) => void;
  system: Ref<string>;
  keepSystem: () => void;
  isPlain: ComputedRef<boolean>;
  reset: () => void;
  /** Why the server did not take the last change. */
  error: ShallowRef<ApiError | null>;
  /** What the first question takes with it, once: then the next conversation begins plain. */
  takeForNew: () => Partial<AnswerSettings>;
  /** The question did not get through, so its settings wait for the next one. */
  giveBack: (settings: Partial<AnswerSettings>) => void;
}

/** System prompt and parameters of a conversation: kept on the server, and for a new one in this browser. */
export function useAnswerSettings(id: Ref<string | undefined>): UseAnswerSettings {
  const conversations = useConversations();
  const forNew = useLocalStorage<AnswerSettings>("studio.settings.new", PLAIN, { mergeDefaults: true });
  const limits = shallowRef<Partial<Record<AnswerParam, Limits>>>({});
  const typed = reactive(new Map<AnswerParam, string>());
  const typedSystem = ref<string | null>(null);
  const error = shallowRef<ApiError | null>(null);

  const settings = computed<AnswerSettings>(() => {
    if (id.value === undefined) return forNew.value;
    const { system, params } = conversations.rows.get(id.value) ?? PLAIN;
    return { system, params };
  });
  const system = computed({
    get: () => typedSystem.value ?? settings.value.system,
    set: (text) => {
      typedSystem.value = text;
      // Of a new conversation nothing is sent, so each letter is kept at once.
      if (id.value === undefined) keepSystem();
    },
  });
  const isPlain = computed(() => settings.value.system === "" && Object.keys(settings.value.params).length === 0 && typed.size === 0 && typedSystem.value === null);

  async function loadLimits(): Promise<void> {
    try {
      const schema = await readChatSchema();
      limits.value = Object.fromEntries(ANSWER_PARAMS.flatMap((name) => (schema[name] === undefined ? [] : [[name, limitsOf(schema[name])]])));
    } catch (reason) {
      // Without limits the server says what is wrong.
      if (!(reason instanceof ApiError)) throw reason;
    }
  }

  /** Whether it was taken. */
  async function change(wanted: Partial<AnswerSettings>): Promise<boolean> {
    error.value = null;
    if (id.value === undefined) forNew.value = { ...forNew.value, ...wanted };
    else error.value = await conversations.configure(id.value, wanted);
    return error.value === null;
  }

  function read(name: AnswerParam): Reading | null {
    const text = typed.get(name);
    return text === undefined ? null : readNumber(text, limits.value[name]);
  }

  function wrong(name: AnswerParam): (Reading & { state: "wrong" }) | null {
    const reading = read(name);
    return reading?.state === "wrong" ? reading : null;
  }

  function shown(name: AnswerParam): string {
    return typed.get(name) ?? String(settings.value.params[name] ?? "");
  }

  function keep(name: AnswerParam): void {
    const [reading, text] = [read(name), typed.get(name)];
    if (reading === null || reading.state === "wrong") return;
    const others = Object.fromEntries(Object.entries(settings.value.params).filter(([key]) => key !== name));
    void change({ params: reading.state === "unset" ? others : { ...others, [name]: reading.value } }).then((taken) => {
      if (taken && typed.get(name) === text) typed.delete(name);
    });
  }

  function keepSystem(): void {
    const text = typedSystem.value;
    if (text === null) return;
    void change({ system: text }).then((taken) => {
      if (taken && typedSystem.value === text) typedSystem.value = null;
    });
  }

  function forgetTyped(): void {
    typed.clear();
    typedSystem.value = null;
    error.value = null;
  }

  function reset(): void {
    forgetTyped();
    void change(PLAIN);
  }

  function takeForNew(): Partial<AnswerSettings> {
    const { system: said, params } = forNew.value;
    forNew.value = PLAIN;
    // Nothing is not a wish: it must not stand over what an assistant brings.
    return { ...(said === "" ? {} : { system: said }), ...(Object.keys(params).length === 0 ? {} : { params }) };
  }

  watch(id, (now, before) => {
    // What is typed belongs to the conversation, also when that gets its lasting id.
    if (before === undefined || conversations.moved.get(before) !== now) forgetTyped();
  });
  void loadLimits();

  return {
    settings,
    limits,
    shown,
    type: (name, text) => void typed.set(name, text),
    wrong,
    keep,
    system,
    keepSystem,
    isPlain,
    reset,
    error,
    takeForNew,
    giveBack: (given) => {
      forNew.value = { ...PLAIN, ...given };
    },
  };
}
