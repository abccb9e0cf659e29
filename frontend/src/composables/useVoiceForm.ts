import { useLocalStorage } from "@vueuse/core";
import { computed, shallowRef, toValue, watch, type ComputedRef, type MaybeRefOrGetter, type Ref, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { listVoices } from "@/api/models";
import type { AudioFormat, Model, Voice, VoiceInput } from "@/api/types";

export interface VoiceForm {
  text: string;
  language: string;
  voice: string;
  speed: number;
  pitch: number;
  format: AudioFormat;
}

export const FORMATS: readonly AudioFormat[] = ["wav", "mp3", "ogg"];
const WIDE = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]/gu;
const WIDE_PER_S = 4;
const OTHERS_PER_S = 14;

/** About how long the text takes to say, in seconds. */
export function speakingS(text: string, speed: number): number {
  const wide = text.match(WIDE)?.length ?? 0;
  return (wide / WIDE_PER_S + (text.length - wide) / OTHERS_PER_S) / speed;
}

export interface UseVoiceForm {
  form: Ref<VoiceForm>;
  /** null while they are not known: a worker finds them when it first loads the model. */
  voices: ShallowRef<readonly Voice[] | null>;
  languages: ComputedRef<string[]>;
  voicesOfLanguage: ComputedRef<readonly Voice[]>;
  /** Ask again where they were not known. */
  askAgain: () => void;
  input: () => VoiceInput;
}

/** What the person wants spoken, and the voices of the model; this browser keeps the form. */
export function useVoiceForm(model: MaybeRefOrGetter<Model | null>, firstText: string): UseVoiceForm {
  const form = useLocalStorage<VoiceForm>(
    "studio.voice.form",
    { text: firstText, language: "", voice: "", speed: 1, pitch: 1, format: "wav" },
    { mergeDefaults: true },
  );
  const voices = shallowRef<readonly Voice[] | null>(null);
  const languages = computed(() => [...new Set((voices.value ?? []).map((voice) => voice.language))].sort());
  const voicesOfLanguage = computed(() =>
    (voices.value ?? []).filter((voice) => form.value.language === "" || voice.language === form.value.language),
  );

  async function loadVoices(id: string | undefined): Promise<void> {
    try {
      const found = await listVoices(id);
      if (toValue(model)?.id === id) voices.value = found;
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      // Without the list the form takes a language code, and the server says what it does not know.
      voices.value = null;
    }
  }

  function askAgain(): void {
    const id = toValue(model)?.id;
    if (voices.value === null && id !== undefined) void loadVoices(id);
  }

  watch(
    () => toValue(model)?.id,
    () => {
      voices.value = null;
      askAgain();
    },
    { immediate: true },
  );

  function input(): VoiceInput {
    const { text, language, voice, speed, pitch, format } = form.value;
    // A voice of another model or language that is still in the form is not meant.
    const known = voices.value === null || voicesOfLanguage.value.some((each) => each.id === voice);
    return {
      text: text.trim(),
      ...(language.trim() === "" ? {} : { language: language.trim() }),
      ...(voice === "" || !known ? {} : { voice }),
      speed,
      pitch,
      format,
    };
  }

  return { form, voices, languages, voicesOfLanguage, askAgain, input };
}
