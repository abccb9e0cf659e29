import { refDebounced, useLocalStorage } from "@vueuse/core";
import { computed, onScopeDispose, ref, shallowRef, watch, type ComputedRef, type Ref } from "vue";
import { useI18n } from "vue-i18n";
import { useRouter, type RouteRecordNormalized } from "vue-router";

import { listConversations } from "@/api/conversations";
import { ApiError } from "@/api/http";
import type { Conversation, Medium, Model } from "@/api/types";
import { fuzzyScore } from "@/composables/fuzzy";
import { placeOf, titleOf } from "@/composables/jobPlaces";
import { useCatalogue } from "@/composables/useCatalogue";
import { useConversations } from "@/composables/useConversations";
import { useDialogs } from "@/composables/useDialogs";
import { useJobs, type JobView } from "@/composables/useJobs";
import { useJobWords } from "@/composables/useJobWords";
import { THEMES, usePreferences } from "@/composables/usePreferences";
import { useStopAll } from "@/composables/useStopAll";
import { useTray } from "@/composables/useTray";
import { LOCALES } from "@/i18n";

export type CommandGroup = "pages" | "jobs" | "conversations" | "models" | "settings";

export interface Command {
  readonly id: string;
  readonly group: CommandGroup;
  readonly title: string;
  /** Beside the title, in smaller letters. */
  readonly detail?: string;
  /** By which other words it is found: the other language, and how it is typed without an input method. */
  readonly words?: string;
  readonly keys?: string;
  /** A question to answer before it is done. */
  readonly ask?: string;
  readonly run: () => unknown;
}

/** Other words for the pages; a page that is not here is found by its name. */
const PAGE_WORDS: Record<string, string> = {
  chat: "chat conversation 对话 聊天 duihua liaotian",
  image: "image picture draw paint 图像 图片 作图 tuxiang",
  voice: "voice speech speak audio 语音 朗读 yuyin",
  jobs: "jobs tasks queue 任务 renwu",
  models: "models catalogue connect demo full 模型 moxing",
  me: "me account settings appearance sign out 我 设置 账户 wo shezhi",
};
const TYPING_MS = 200;
const RECENT = 5;
const BEST = 30;

export interface UseCommands {
  query: Ref<string>;
  /** What the query finds, best first within each group, the groups in their order. */
  commands: ComputedRef<readonly Command[]>;
  /** The server is being asked for conversations. */
  searching: Ref<boolean>;
  error: Ref<ApiError | null>;
}

/** Everything that the palette can do, found by a few letters. */
export function useCommands(): UseCommands {
  const query = ref("");
  const { found, searching, error } = useConversationSearch(query);
  const go = usePageCommands();
  const jobs = useJobCommands();
  const models = useModelCommands();
  const settings = useSettingCommands();
  const conversations = useConversationCommands(query, found);

  const commands = computed(() => {
    const wanted = query.value.trim();
    const all = [...go.value, ...jobs.value, ...models.value, ...settings.value];
    // Without a word, what is there for everybody; models would push the rest away.
    if (wanted === "") return [...all.filter((each) => each.group !== "models"), ...conversations.value.slice(0, RECENT)];
    return [...ranked(wanted, all), ...conversations.value].slice(0, BEST);
  });
  return { query, commands, searching, error };
}

function ranked(query: string, commands: readonly Command[]): readonly Command[] {
  const scored = commands.flatMap((command) => {
    const score = bestOf(fuzzyScore(query, command.title), wordScore(query, command.words));
    return score === null ? [] : [{ command, score }];
  });
  const best = new Map<CommandGroup, number>();
  for (const { command, score } of scored) best.set(command.group, Math.max(score, best.get(command.group) ?? 0));
  // Groups stay together, the one with the best match first.
  return scored
    .sort((a, b) => (best.get(b.command.group) ?? 0) - (best.get(a.command.group) ?? 0) || a.command.group.localeCompare(b.command.group) || b.score - a.score)
    .map(({ command }) => command);
}

function bestOf(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}

/** Other words must be met from their beginning: scattered letters in a long list of words mean nothing. */
function wordScore(query: string, words = ""): number | null {
  const wanted = query.toLowerCase();
  return words.split(" ").some((word) => word.startsWith(wanted)) ? 110 : null;
}

function usePageCommands(): ComputedRef<readonly Command[]> {
  const { t } = useI18n();
  const router = useRouter();
  const dialogs = useDialogs();

  const isPage = ({ name, meta, path }: RouteRecordNormalized): boolean => typeof name === "string" && meta.open !== true && !/:\w+(?!\w*\?)/.test(path);
  return computed(() => [
    {
      id: "new-chat",
      group: "pages",
      title: t("chat.newChat"),
      words: "new chat 新对话 xinduihua",
      keys: "n",
      run: () => router.push({ name: "chat", params: { id: "" } }),
    },
    ...router.getRoutes().filter(isPage).map((route): Command => {
      const name = String(route.name);
      return { id: `page-${name}`, group: "pages", title: t("keyboard.goTo", { page: t(`pages.${route.meta.title}`) }), words: PAGE_WORDS[name] ?? name, run: () => router.push({ name }) };
    }),
    {
      id: "shortcuts",
      group: "pages",
      title: t("keyboard.sheet"),
      words: "keyboard shortcuts help 快捷键 帮助 kuaijiejian",
      keys: "?",
      run: () => {
        dialogs.open = "shortcuts";
      },
    },
  ]);
}

function useJobCommands(): ComputedRef<readonly Command[]> {
  const { t } = useI18n();
  const router = useRouter();
  const jobs = useJobs();
  const tray = useTray();
  const { describe } = useJobWords();
  const { count, stopAll } = useStopAll();

  function commandsOf(view: JobView): Command[] {
    const title = titleOf(view.job) || t("jobs.noText");
    const words = `jobs running 任务 ${PAGE_WORDS[view.job.kind] ?? ""}`;
    const show: Command = { id: `job-${view.id}`, group: "jobs", title: t("keyboard.showJob", { title }), detail: describe(view), words, run: () => router.push(placeOf(view.job)) };
    if (view.stopping) return [show];
    return [show, { id: `stop-${view.id}`, group: "jobs", title: t("tray.stop", { title }), words: "stop cancel 停止 tingzhi", run: () => jobs.stop(view.id) }];
  }

  return computed(() => [
    ...jobs.running.flatMap(commandsOf),
    ...(count.value === 0
      ? []
      : [{ id: "stop-all", group: "jobs" as const, title: t("keyboard.stopAll"), words: "stop all cancel 停止 全部 tingzhi quanbu", ask: t("tray.stopAllSure", { n: count.value }, count.value), run: stopAll }]),
    {
      id: "tray",
      group: "jobs",
      title: t(tray.open ? "tray.close" : "tray.show"),
      words: "jobs tray tasks 任务 renwu",
      keys: "j",
      run: () => {
        tray.toggle();
      },
    },
  ]);
}

function useModelCommands(): ComputedRef<readonly Command[]> {
  const { t } = useI18n();
  const router = useRouter();
  const catalogue = useCatalogue();
  const picked: Record<Medium, Ref<string>> = {
    chat: useLocalStorage("studio.model.chat", ""),
    image: useLocalStorage("studio.model.image", ""),
    voice: useLocalStorage("studio.model.voice", ""),
  };

  function use(model: Model): unknown {
    picked[model.medium].value = model.id;
    // An open conversation keeps the model that it has.
    return router.push(model.medium === "chat" ? { name: "chat", params: { id: "" } } : { name: model.medium });
  }

  void catalogue.loadOnce();
  return computed(() =>
    catalogue.models
      .filter((model) => model.enabled)
      .map((model) => ({
        id: `model-${model.id}`,
        group: "models",
        title: t(`keyboard.useModel.${model.medium}`, { name: model.name }),
        words: `model 模型 moxing ${model.id}`,
        run: () => use(model),
      })),
  );
}

function useSettingCommands(): ComputedRef<readonly Command[]> {
  const { t } = useI18n();
  const preferences = usePreferences();
  return computed(() => [
    ...THEMES.filter((theme) => theme !== preferences.theme).map((theme): Command => ({
      id: `theme-${theme}`,
      group: "settings",
      title: t("keyboard.setTheme", { theme: t(`theme.${theme}`) }),
      words: `theme appearance ${theme} 主题 外观 zhuti`,
      run: () => {
        preferences.theme = theme;
      },
    })),
    ...LOCALES.filter((locale) => locale !== preferences.locale).map((locale): Command => ({
      id: `language-${locale}`,
      group: "settings",
      title: t("keyboard.setLanguage", { language: t(`language.${locale}`) }),
      words: "language english chinese 语言 中文 英文 yuyan zhongwen yingwen",
      run: () => {
        preferences.locale = locale;
      },
    })),
  ]);
}

/** Until the server has searched for these words, the conversations that are known here and have them in their titles. */
function useConversationCommands(query: Ref<string>, found: Ref<Found>): ComputedRef<readonly Command[]> {
  const router = useRouter();
  const conversations = useConversations();
  const known = computed(() => [...conversations.rows.values()].filter((each) => !each.archived).sort((a, b) => b.updated_at.localeCompare(a.updated_at)));
  const shown = computed(() => {
    const words = query.value.trim();
    return found.value.words === words ? found.value.conversations : known.value.filter((each) => fuzzyScore(words, each.title) !== null);
  });
  return computed(() =>
    shown.value.map((each) => ({
      id: `conversation-${each.id}`,
      group: "conversations",
      title: each.title,
      run: () => router.push({ name: "chat", params: { id: each.id } }),
    })),
  );
}

/** What the server found for these words, in titles and messages. */
interface Found {
  readonly words: string | null;
  readonly conversations: readonly Conversation[];
}

function useConversationSearch(query: Ref<string>): { found: Ref<Found>; searching: Ref<boolean>; error: Ref<ApiError | null> } {
  const found = shallowRef<Found>({ words: null, conversations: [] });
  const searching = ref(false);
  const error = shallowRef<ApiError | null>(null);
  const wanted = refDebounced(
    computed(() => query.value.trim()),
    TYPING_MS,
  );
  let asked = 0;

  async function search(words: string, mine: number): Promise<void> {
    try {
      const { results } = await listConversations(words === "" ? {} : { search: words });
      if (mine === asked) settle({ words, conversations: results }, null);
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      if (mine === asked) settle({ words: null, conversations: [] }, reason);
    }
  }

  function settle(answer: Found, why: ApiError | null): void {
    found.value = answer;
    error.value = why;
    searching.value = false;
  }

  watch(
    wanted,
    (words) => {
      asked += 1;
      searching.value = true;
      void search(words, asked);
    },
    { immediate: true },
  );
  onScopeDispose(() => {
    asked += 1;
  });
  return { found, searching, error };
}
