import { ApiError } from "@/api/http";

const RETRY_DELAYS_MS = [400, 1200, 3000];

/** Ask again while the connection breaks: only for what may be asked twice, as with an idempotency key. */
export async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
  for (const delay of [...RETRY_DELAYS_MS, null]) {
    try {
      return await ask();
    } catch (reason) {
      if (!(reason instanceof ApiError) || reason.code !== "offline" || delay === null) throw reason;
      await new Promise((resolve) => setTimeout(resolve, delay * (0.5 + Math.random() / 2)));
    }
  }
  throw new Error("unreachable: the last round returns or throws");
}
