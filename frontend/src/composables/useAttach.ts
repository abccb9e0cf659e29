import { ref, type Ref } from "vue";
import { useI18n } from "vue-i18n";

import { isPictureFile } from "@/composables/attachedPictures";
import { FILES_MAX, QUESTION_MAX, isHopeless, readText, type TextFile } from "@/composables/attachedFiles";

export interface UseAttach {
  /** Take the files that are text, and give the pictures on; of what was not taken `problems` says why not. */
  attach: (chosen: Iterable<File>) => Promise<void>;
  detach: (index: number) => void;
  problems: Ref<readonly string[]>;
}

/** Files that go with the question; `takePicture` says why it did not take one, or null. */
export function useAttach(files: Ref<TextFile[]>, takePicture: (picture: File) => string | null): UseAttach {
  const { t, n } = useI18n();
  const problems = ref<readonly string[]>([]);

  async function attach(chosen: Iterable<File>): Promise<void> {
    problems.value = [];
    for (const file of chosen) {
      const problem = await take(file);
      if (problem !== null) problems.value = [...problems.value, problem];
    }
  }

  /** Why it was not taken, or null. */
  async function take(file: File): Promise<string | null> {
    if (isPictureFile(file)) return takePicture(file);
    const { name } = file;
    if (files.value.length >= FILES_MAX) return t("chat.files.tooMany", { name, max: FILES_MAX });
    if (isHopeless(file)) return t("chat.files.tooLong", { name, count: n(file.size), max: n(QUESTION_MAX) });
    const text = await readText(file);
    if (text === null) return t("chat.files.noText", { name });
    if (text.trim() === "") return t("chat.files.empty", { name });
    const length = files.value.reduce((sum, each) => sum + each.text.length, text.length);
    if (length > QUESTION_MAX) return t("chat.files.tooLong", { name, count: n(text.length), max: n(QUESTION_MAX) });
    files.value = [...files.value.filter((each) => each.name !== name), { name, text }];
    return null;
  }

  function detach(index: number): void {
    problems.value = [];
    files.value = files.value.filter((_, at) => at !== index);
  }

  return { attach, detach, problems };
}
