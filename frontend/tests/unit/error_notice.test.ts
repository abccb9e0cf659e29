import { mount } from "@vue/test-utils";
import { afterEach, describe, expect, it } from "vitest";

import { ApiError } from "@/api/http";
import ErrorNotice from "@/components/ErrorNotice.vue";
import { i18n, setLocale } from "@/i18n";

function said(error: ApiError): string {
  return mount(ErrorNotice, { props: { error }, global: { plugins: [i18n] } }).text();
}

const tooLong = new ApiError("The conversation has 5003 tokens.", { status: 400, code: "context_too_long" });

describe("an error", () => {
  afterEach(() => setLocale("en"));

  it("is the server's sentence in English", () => {
    expect(said(tooLong)).toBe("The conversation has 5003 tokens.");
  });

  it("is said in Chinese first, with the server's own sentence for the figures", async () => {
    await setLocale("zh");
    expect(said(tooLong)).toBe("内容太长，模型一次读不完，请缩短后再试（原文：The conversation has 5003 tokens.）");
    expect(said(new ApiError("Redis does not answer.", { status: 503, code: "unavailable", retryAfterS: 5 }))).toBe(
      "服务暂时不可用，请稍后再试（原文：Redis does not answer.） 请在 5 秒后重试。",
    );
  });

  it("of an unknown code is what the server said", async () => {
    await setLocale("zh");
    expect(said(new ApiError("Something new.", { status: 418, code: "teapot" }))).toBe("Something new.");
  });
});
