import { flushPromises, mount, type VueWrapper } from "@vue/test-utils";
import { createPinia, setActivePinia, type Pinia } from "pinia";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createApp, defineComponent, nextTick, ref, shallowRef, type App } from "vue";

import ChatComposer from "@/components/ChatComposer.vue";
import QuestionPictures from "@/components/QuestionPictures.vue";
import type { Model } from "@/api/types";
import { useAttach, type UseAttach } from "@/composables/useAttach";
import { useAttachPictures, type UseAttachPictures } from "@/composables/useAttachPictures";
import { useDraft } from "@/composables/useDraft";
import { useSession } from "@/composables/useSession";
import { i18n } from "@/i18n";

const model = (name: string, options: Model["options"] = {}, enabled = true): Model => ({ id: name, name, options, enabled }) as Model;
const SEES = model("Sees", { vision: true });
const BLIND = model("Blind");

/** What the server makes of an upload; a test may hold it back, refuse it or lose it. */
class Uploads {
  count = 0;
  refuses = false;
  gone = false;
  /** Who is signed in. */
  person: string | null = null;
  held: (() => void)[] | null = null;

  readonly fetch = async (address: string, init: RequestInit = {}): Promise<Response> => {
    if (address === "/api/v1/session") return this.person === null ? this.error(401, "unauthorized", "Sign in.") : new Response(JSON.stringify({ user: { id: this.person } }));
    if (init.method !== "POST") return this.gone ? this.error(404, "not_found", "There is no such upload.") : new Response("picture");
    const { held } = this;
    if (held !== null) await new Promise<void>((resolve) => held.push(resolve));
    if (this.refuses) return this.error(400, "bad_request", "This is no picture.");
    this.count += 1;
    return new Response(JSON.stringify({ id: `upload-${this.count}`, media_type: "image/png", width: 1, height: 1 }), { status: 201 });
  };

  private error(status: number, code: string, message: string): Response {
    return new Response(JSON.stringify({ error: { code, message } }), { status });
  }
}

let server: Uploads;
let pinia: Pinia;
let apps: App[];
const asked = shallowRef<readonly Model[]>([SEES]);
const models = shallowRef<readonly Model[]>([SEES, BLIND]);
const conversation = ref<string | undefined>();

beforeEach(() => {
  localStorage.clear();
  server = new Uploads();
  vi.stubGlobal("fetch", server.fetch);
  pinia = createPinia();
  setActivePinia(pinia);
  apps = [];
  asked.value = [SEES];
  models.value = [SEES, BLIND];
  conversation.value = undefined;
});

afterEach(() => {
  for (const app of apps) app.unmount();
  vi.unstubAllGlobals();
});

interface Page {
  pictures: UseAttachPictures;
  texts: UseAttach;
}

/** A chat page, as far as files and pictures go. */
function openPage(): Page {
  let page: Page | undefined;
  const app = createApp(
    defineComponent({
      setup() {
        const { files, pictures: kept } = useDraft(conversation);
        const pictures = useAttachPictures(
          kept,
          () => asked.value,
          () => models.value,
        );
        page = { pictures, texts: useAttach(files, pictures.take) };
        return () => null;
      },
    }),
  );
  app.use(pinia).use(i18n).mount(document.createElement("div"));
  apps.push(app);
  if (page === undefined) throw new Error("the page has not begun");
  return page;
}

function reload(): Page {
  for (const app of apps) app.unmount();
  apps = [];
  pinia = createPinia();
  setActivePinia(pinia);
  return openPage();
}

const picture = (name = "a.png", type = "image/png"): File => new File(["bytes"], name, { type });

function chipsOf({ pictures }: Page): string[] {
  return pictures.chips.value.map(({ name, state, id }) => `${name} ${state} ${id ?? "-"}`);
}

async function settle(): Promise<void> {
  await flushPromises();
  await nextTick();
  await flushPromises();
}

describe("a picture for a model that reads them", () => {
  it("is uploaded, holds the question back until then, and goes with it", async () => {
    server.held = [];
    const page = openPage();
    await page.texts.attach([picture()]);
    expect(chipsOf(page)).toEqual(["a.png uploading -"]);
    expect(page.pictures.obstacle.value).toBe("Waiting for the pictures to be uploaded …");
    server.held[0]?.();
    await settle();
    expect(chipsOf(page)).toEqual(["a.png ready upload-1"]);
    expect(page.pictures.obstacle.value).toBeNull();
    expect(page.pictures.takeAll()).toEqual([{ id: "upload-1", name: "a.png" }]);
    expect(chipsOf(page)).toEqual([]);
  });

  it("stays in its place when a later one arrives first", async () => {
    server.held = [];
    const page = openPage();
    await page.texts.attach([picture("first.png"), picture("second.jpg", "image/jpeg")]);
    server.held[1]?.();
    await settle();
    expect(chipsOf(page)).toEqual(["first.png uploading -", "second.jpg ready upload-1"]);
  });

  it("that could not be uploaded says why, and can be tried again", async () => {
    server.refuses = true;
    const page = openPage();
    await page.texts.attach([picture()]);
    await settle();
    const chip = page.pictures.chips.value[0];
    expect(chip).toMatchObject({ state: "failed", repeatable: true });
    expect(chip?.failure).toContain("This is no picture.");
    expect(page.pictures.obstacle.value).toBe("Upload the marked pictures again, or remove them.");
    server.refuses = false;
    page.pictures.again(chip?.key ?? "");
    expect(chipsOf(page)).toEqual(["a.png uploading -"]);
    await settle();
    expect(chipsOf(page)).toEqual(["a.png ready upload-1"]);
  });

  it("that is removed while it is uploaded does not come back", async () => {
    server.held = [];
    const page = openPage();
    await page.texts.attach([picture()]);
    page.pictures.remove(page.pictures.chips.value[0]?.key ?? "");
    server.held[0]?.();
    await settle();
    expect(chipsOf(page)).toEqual([]);
    expect(page.pictures.obstacle.value).toBeNull();
  });

  it("is found again after a reload; one that was on its way says that it has to be attached again", async () => {
    let page = openPage();
    await page.texts.attach([picture("there.png")]);
    await settle();
    server.held = [];
    await page.texts.attach([picture("cut.png")]);
    await settle();
    page = reload();
    expect(chipsOf(page)).toEqual(["there.png ready upload-1", "cut.png cut -"]);
    expect(page.pictures.chips.value[1]?.repeatable).toBe(false);
    expect(page.pictures.obstacle.value).not.toBeNull();
  });

  it("that arrives while another conversation is open stays with its own", async () => {
    server.held = [];
    const page = openPage();
    await page.texts.attach([picture()]);
    await settle();
    conversation.value = "other";
    await settle();
    server.held[0]?.();
    await settle();
    expect(chipsOf(page)).toEqual([]);
    conversation.value = undefined;
    await settle();
    expect(chipsOf(page)).toEqual(["a.png ready upload-1"]);
  });

  it("that the server has forgotten can be uploaded once more from its file", async () => {
    const page = openPage();
    await page.texts.attach([picture()]);
    await settle();
    server.gone = true;
    page.pictures.look("upload-1");
    await settle();
    expect(chipsOf(page)).toEqual(["a.png gone upload-1"]);
    page.pictures.again(page.pictures.chips.value[0]?.key ?? "");
    await settle();
    expect(chipsOf(page)).toEqual(["a.png ready upload-2"]);
  });

  it("is not taken beyond eight, nor larger than the server takes it", async () => {
    const page = openPage();
    const large = picture("large.png");
    Object.defineProperty(large, "size", { value: 20 * 1024 * 1024 + 1 });
    await page.texts.attach([large, ...Array.from({ length: 9 }, (_, place) => picture(`${place}.png`))]);
    expect(page.pictures.chips.value).toHaveLength(8);
    expect(page.texts.problems.value).toEqual([
      "large.png is larger than 20 MB. Make it smaller, then attach it again.",
      "8.png was left out: a question takes 8 pictures at most.",
    ]);
  });

  it("leaves an SVG to the texts", async () => {
    const page = openPage();
    await page.texts.attach([new File(["<svg/>"], "drawing.svg", { type: "image/svg+xml" })]);
    expect(chipsOf(page)).toEqual([]);
    expect(page.texts.problems.value).toEqual([]);
  });
});

describe("a picture for a model that reads none", () => {
  it("is refused with the names of those that do, and a text file beside it is still taken", async () => {
    asked.value = [BLIND];
    const page = openPage();
    await page.texts.attach([picture(), new File(["# Notes"], "notes.md")]);
    expect(chipsOf(page)).toEqual([]);
    expect(page.texts.problems.value).toEqual(["a.png was not attached: Blind reads no pictures. Choose one that does in the list of models above: Sees."]);
    await settle();
    expect(localStorage.getItem("studio.draft.files.new")).toContain("notes.md");
  });

  it("says where to find one when no enabled model reads pictures", async () => {
    asked.value = [BLIND];
    models.value = [BLIND, model("Off", { vision: true }, false)];
    const page = openPage();
    await page.texts.attach([picture()]);
    expect(page.texts.problems.value[0]).toContain("no enabled model does. The page Models says how to connect one.");
  });

  it("stays attached after a switch to it, holds the question back, and goes out after the switch back", async () => {
    const page = openPage();
    await page.texts.attach([picture()]);
    await settle();
    asked.value = [BLIND];
    expect(page.pictures.unread.value).toContain("Blind reads no pictures.");
    expect(page.pictures.obstacle.value).toBe("Choose a model that reads pictures, or remove the pictures.");
    expect(page.pictures.readable.value).toBe(false);
    asked.value = [SEES];
    expect([page.pictures.unread.value, page.pictures.obstacle.value]).toEqual([null, null]);
    expect(page.pictures.takeAll()).toHaveLength(1);
  });

  it("is refused in a comparison where only one of the models reads pictures", async () => {
    asked.value = [SEES, BLIND];
    const page = openPage();
    expect(page.pictures.readable.value).toBe(false);
    await page.texts.attach([picture()]);
    expect(page.texts.problems.value[0]).toContain("Blind reads no pictures.");
  });
});

describe("the composer", () => {
  function composer({ pictures }: Page, modelValue = "What is it?"): VueWrapper {
    const state = { running: false, stopping: false, disabled: false, status: "", files: [], problems: [], dropping: false };
    return mount(ChatComposer, { props: { modelValue, pictures, ...state }, global: { plugins: [i18n, pinia] } });
  }

  const sendOf = (shown: VueWrapper): Record<string, string> => shown.get("button[type=submit]").attributes();

  it("keeps Send disabled while a picture is uploaded, says why, and sends afterwards", async () => {
    server.held = [];
    const page = openPage();
    const shown = composer(page);
    await page.texts.attach([picture()]);
    await nextTick();
    expect(sendOf(shown)).toMatchObject({ disabled: "", title: "Waiting for the pictures to be uploaded …" });
    await shown.get("form").trigger("submit");
    expect(shown.emitted("send")).toBeUndefined();
    server.held[0]?.();
    await settle();
    expect(sendOf(shown)).not.toHaveProperty("disabled");
    await shown.get("form").trigger("submit");
    expect(shown.emitted("send")).toHaveLength(1);
  });

  it("asks for words where there are only pictures", async () => {
    const page = openPage();
    const shown = composer(page, "");
    await page.texts.attach([picture()]);
    await settle();
    expect(sendOf(shown)).toMatchObject({ disabled: "", title: "Write what you want to know about it." });
  });

  it("offers pictures only to who reads them", async () => {
    const shown = composer(openPage());
    expect(shown.get("input[type=file]").attributes("accept")).toContain("image/png");
    asked.value = [BLIND];
    await nextTick();
    expect(shown.get("input[type=file]").attributes("accept")).not.toContain("image/png");
    expect(shown.get("button.attach").attributes("aria-label")).toBe("Attach text files");
  });

  it("shows the picture of the server, and gives the focus back when it is removed", async () => {
    const page = openPage();
    const shown = composer(page);
    const form = shown.get("form").element;
    document.body.append(form);
    await page.texts.attach([picture()]);
    await settle();
    expect(shown.get("li img").attributes("src")).toBe("/api/v1/uploads/upload-1/file");
    await shown.get("button[aria-label='Remove a.png']").trigger("click");
    expect(shown.find("li").exists()).toBe(false);
    expect(document.activeElement?.id).toBe("composer");
    form.remove();
  });

  it.each([
    [["Files"], 1],
    [["text/plain", "text/html", "Files"], 0],
  ])("takes a pasted picture unless text comes with it: %j", async (types, taken) => {
    const shown = composer(openPage());
    const event = Object.assign(new Event("paste", { cancelable: true }), { clipboardData: { files: [picture()], types } });
    shown.get("textarea").element.dispatchEvent(event);
    await nextTick();
    expect(shown.emitted("attach") ?? []).toHaveLength(taken);
    expect(event.defaultPrevented).toBe(taken === 1);
  });
});

describe("after the session has ended", () => {
  it("who signs in again can still upload what failed, and somebody else cannot", async () => {
    const page = openPage();
    const signsIn = async (person: string | null): Promise<boolean | undefined> => {
      server.person = person;
      await useSession().load();
      await settle();
      return page.pictures.chips.value[0]?.repeatable;
    };
    await signsIn("a");
    server.refuses = true;
    await page.texts.attach([picture()]);
    await settle();
    expect(await signsIn(null)).toBe(true);
    expect(await signsIn("a")).toBe(true);
    expect(await signsIn("b")).toBe(false);
  });
});

describe("the pictures of a question", () => {
  it("are thumbnails that open in full, and a quiet place where one is gone", async () => {
    const shown = mount(QuestionPictures, { props: { images: ["one", "two"] }, global: { plugins: [i18n] } });
    const [first] = shown.findAll("img");
    expect(first?.attributes()).toMatchObject({ src: "/api/v1/uploads/one/file", loading: "lazy", alt: "Picture 1 of the question; opens in full" });
    expect(shown.find("a").attributes("href")).toBe("/api/v1/uploads/one/file");
    server.gone = true;
    await first?.trigger("error");
    await settle();
    expect(shown.findAll("img")).toHaveLength(1);
    expect(shown.text()).toContain("Picture no longer there");
  });

  it("are not called gone while only the server is away", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("network")));
    const shown = mount(QuestionPictures, { props: { images: ["one"] }, global: { plugins: [i18n] } });
    await shown.find("img").trigger("error");
    await settle();
    expect(shown.text()).toBe("Picture could not be loaded");
  });
});
