import { computed, watchEffect, type ComputedRef, type Ref } from "vue";
import { useI18n } from "vue-i18n";

import { newId } from "@/api/ids";
import type { Model } from "@/api/types";
import { PICTURES_MAX, PICTURE_MAX_MB, blindAmong, isTooLarge, type DraftPicture } from "@/composables/attachedPictures";
import { readsPictures } from "@/composables/modelFacts";
import type { SentPicture } from "@/composables/outbox";
import { useJobWords } from "@/composables/useJobWords";
import { usePictureUploads } from "@/composables/usePictureUploads";

/** A picture as the composer shows it. */
export interface PictureChip extends DraftPicture {
  /** `cut`: a reload came before the server had it. `gone`: the server has it no longer. */
  readonly state: "uploading" | "failed" | "ready" | "cut" | "gone";
  /** Why it failed. */
  readonly failure: string | null;
  /** It can be uploaded once more. */
  readonly repeatable: boolean;
}

export interface UseAttachPictures {
  chips: ComputedRef<readonly PictureChip[]>;
  /** Upload it, to go with the question; why not, or null. */
  take: (file: File) => string | null;
  again: (key: string) => void;
  remove: (key: string) => void;
  /** It could not be shown. */
  look: (id: string) => void;
  /** All of them, to be sent; the draft is without them then. */
  takeAll: () => readonly SentPicture[];
  /** Who is asked reads pictures. */
  readable: ComputedRef<boolean>;
  /** Why those that are asked cannot be shown what is attached; null where they can, or nothing is attached. */
  unread: ComputedRef<string | null>;
  /** Why the question cannot go out with them yet; null when it can. */
  obstacle: ComputedRef<string | null>;
}

/** Pictures that go with the question to `asked`, one of or several of `models`; `kept` is the draft's. */
export function useAttachPictures(kept: Ref<DraftPicture[]>, asked: () => readonly Model[], models: () => readonly Model[]): UseAttachPictures {
  const { t, locale } = useI18n();
  const { explain } = useJobWords();
  const store = usePictureUploads();

  const chips = computed(() => kept.value.map(chipOf));
  const readable = computed(() => asked().length > 0 && blindAmong(asked()).length === 0);
  /** That who is asked reads no pictures, and who does. */
  const blind = computed(() => {
    const blindOnes = blindAmong(asked());
    if (blindOnes.length === 0) return null;
    const list = new Intl.ListFormat(locale.value);
    const namesOf = (some: readonly Model[]): string => list.format(some.map((each) => each.name));
    const readers = models().filter((each) => each.enabled && readsPictures(each));
    const words = { models: namesOf(blindOnes), readers: namesOf(readers) };
    return t(readers.length > 0 ? "chat.pictures.blind" : "chat.pictures.allBlind", words, blindOnes.length);
  });
  const unread = computed(() => (chips.value.length > 0 && blind.value !== null ? t("chat.pictures.unread", { why: blind.value }) : null));
  const obstacle = computed(() => {
    if (unread.value !== null) return t("chat.pictures.unreadShort");
    if (chips.value.length > PICTURES_MAX) return t("chat.pictures.overMax", { max: PICTURES_MAX });
    if (chips.value.some(({ state }) => state === "failed" || state === "cut" || state === "gone")) return t("chat.pictures.missing");
    return chips.value.some(({ state }) => state === "uploading") ? t("chat.pictures.waiting") : null;
  });

  function chipOf(picture: DraftPicture): PictureChip {
    const upload = store.uploads.get(picture.key);
    const id = upload?.state === "ready" ? upload.id : picture.id;
    const failure = upload?.state === "failed" ? explain(upload.error) : null;
    return { ...picture, id, state: stateOf(id, upload?.state), failure, repeatable: store.canAgain(picture.key) };
  }

  function stateOf(id: string | null, upload: "uploading" | "failed" | "ready" | undefined): PictureChip["state"] {
    if (upload === "uploading" || upload === "failed") return upload;
    if (id === null) return "cut";
    return store.gone.has(id) ? "gone" : "ready";
  }

  // What the server has by now is found again after a reload.
  watchEffect(() => {
    const isNew = ({ key, id }: DraftPicture): boolean => kept.value.some((each) => each.key === key && each.id !== id);
    if (chips.value.some(isNew)) kept.value = chips.value.map(({ key, name, id }) => ({ key, name, id }));
  });

  function take(file: File): string | null {
    const { name } = file;
    if (blind.value !== null) return t("chat.pictures.leftOut", { name, why: blind.value });
    if (kept.value.length >= PICTURES_MAX) return t("chat.pictures.tooMany", { name, max: PICTURES_MAX });
    if (isTooLarge(file)) return t("chat.pictures.tooLarge", { name, max: PICTURE_MAX_MB });
    const key = newId();
    void store.begin(key, file);
    kept.value = [...kept.value, { key, name, id: null }];
    return null;
  }

  function remove(key: string): void {
    store.forget(key);
    kept.value = kept.value.filter((each) => each.key !== key);
  }

  function takeAll(): readonly SentPicture[] {
    const sent = chips.value.flatMap(({ id, name }) => (id === null ? [] : [{ id, name }]));
    for (const { key } of kept.value) store.forget(key);
    kept.value = [];
    return sent;
  }

  return { chips, take, again: (key) => void store.again(key), remove, look: (id) => void store.look(id), takeAll, readable, unread, obstacle };
}
