import { useLocalStorage, useTimeoutFn } from "@vueuse/core";
import { computed, shallowRef, toValue, watch, type ComputedRef, type MaybeRefOrGetter, type Ref, type ShallowRef } from "vue";

import { ApiError } from "@/api/http";
import { getSpeechOffer } from "@/api/speeches";
import type { AudioFormat, Model, SpeechOffer, SpeechStyle, Voice, VoiceInput } from "@/api/types";
import { checkSsml, wordsOfSsml, type SsmlFault } from "@/composables/ssmlCheck";

export interface VoiceForm {
  text: string;
  /** The text is SSML. */
  ssml: boolean;
  language: string;
  voice: string;
  speed: number;
  pitch: number;
  volume: number;
}

const WIDE = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]/gu;
const WIDE_PER_S = 4;
const OTHERS_PER_S = 14;
/** A WAV file has 60 MB at most; speech that is longer than this is kept smaller. */
const WAV_MAX_S = 900;
const TEXT_MAX = 50_000;
const SSML_MAX = 200_000;

/** About how long the text takes to say, in seconds. */
export function speakingS(text: string, speed: number): number {
  const wide = text.match(WIDE)?.length ?? 0;
  return (wide / WIDE_PER_S + (text.length - wide) / OTHERS_PER_S) / speed;
}

/** What a speech says, as plain words. */
export function wordsOf(input: VoiceInput): string {
  return input.ssml === undefined ? (input.text ?? "") : wordsOfSsml(input.ssml);
}

export interface UseVoiceForm {
  form: Ref<VoiceForm>;
  /** What the model can; null while it is not known. */
  offer: ShallowRef<SpeechOffer | null>;
  offerError: ShallowRef<ApiError | null>;
  /** Those of the chosen language, and those that speak every one. */
  voices: ComputedRef<readonly Voice[]>;
  /** The style whose values the form has. */
  style: ComputedRef<SpeechStyle | null>;
  /** The first thing that the server would refuse in the SSML. */
  fault: ComputedRef<SsmlFault | null>;
  aboutS: ComputedRef<number>;
  textMax: ComputedRef<number>;
  canSpeak: ComputedRef<boolean>;
  setStyle: (style: SpeechStyle) => void;
  /** Take over how a speech was made. */
  recall: (input: VoiceInput) => void;
  input: () => VoiceInput;
}

/** What the person wants spoken, and what the model offers for it; this browser keeps the form. */
export function useVoiceForm(model: MaybeRefOrGetter<Model | null>, firstText: string): UseVoiceForm {
  const form = useLocalStorage<VoiceForm>(
    "studio.voice.form",
    { text: firstText, ssml: false, language: "", voice: "", speed: 1, pitch: 1, volume: 1 },
    { mergeDefaults: true },
  );
  const { offer, error: offerError } = useOffer(() => toValue(model)?.id ?? null);

  const voices = computed(() => {
    const { language } = form.value;
    return (offer.value?.voices ?? []).filter((voice) => language === "" || voice.language === "" || voice.language === language);
  });
  const style = computed(() => {
    const { speed, pitch, volume } = form.value;
    const is = (a: number, b: number): boolean => Math.abs(a - b) < 0.005;
    return offer.value?.styles.find((each) => is(each.speed, speed) && is(each.pitch, pitch) && is(each.volume, volume)) ?? null;
  });
  const fault = computed(() => {
    const { text, ssml } = form.value;
    return ssml && offer.value !== null && text.trim() !== "" ? checkSsml(text.trim(), offer.value.ssml_elements) : null;
  });
  const words = computed(() => (form.value.ssml ? wordsOfSsml(form.value.text) : form.value.text));
  const aboutS = computed(() => speakingS(words.value, form.value.speed));
  const textMax = computed(() => (form.value.ssml ? (offer.value?.ssml_max ?? SSML_MAX) : (offer.value?.text_max ?? TEXT_MAX)));
  const canSpeak = computed(() => form.value.text.trim() !== "" && form.value.text.length <= textMax.value && fault.value === null);

  function setStyle({ speed, pitch, volume }: SpeechStyle): void {
    Object.assign(form.value, { speed, pitch, volume });
  }

  function recall({ text, ssml, language = "", voice = "", speed = 1, pitch = 1, volume = 1 }: VoiceInput): void {
    form.value = { text: ssml ?? text ?? "", ssml: ssml !== undefined, language, voice, speed, pitch, volume };
  }

  function input(): VoiceInput {
    const { text, ssml, language, voice, speed, pitch, volume } = form.value;
    // What another model had and is still in the form is not meant.
    const spoken = offer.value === null || offer.value.languages.includes(language);
    const known = offer.value === null || voices.value.some((each) => each.id === voice);
    const format: AudioFormat = aboutS.value > WAV_MAX_S ? "mp3" : "wav";
    return {
      ...(ssml ? { ssml: text.trim() } : { text: text.trim() }),
      ...(language === "" || !spoken ? {} : { language }),
      ...(voice === "" || !known ? {} : { voice }),
      speed,
      pitch,
      volume,
      format,
    };
  }

  return { form, offer, offerError, voices, style, fault, aboutS, textMax, canSpeak, setStyle, recall, input };
}

const ASK_AGAIN_MS = 1500;

/** What a model offers; a worker may have to load it first, and then it is asked for again. */
function useOffer(model: () => string | null): { offer: ShallowRef<SpeechOffer | null>; error: ShallowRef<ApiError | null> } {
  const offer = shallowRef<SpeechOffer | null>(null);
  const error = shallowRef<ApiError | null>(null);
  const later = useTimeoutFn(() => void load(), ASK_AGAIN_MS, { immediate: false });

  async function load(): Promise<void> {
    const wanted = model();
    if (wanted === null) return;
    try {
      const found = await getSpeechOffer(wanted);
      if (model() !== wanted) return;
      error.value = null;
      if (found.known) offer.value = found;
      else later.start();
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      if (model() !== wanted) return;
      error.value = reason;
    }
  }

  watch(
    model,
    () => {
      offer.value = null;
      error.value = null;
      later.stop();
      void load();
    },
    { immediate: true },
  );
  return { offer, error };
}
