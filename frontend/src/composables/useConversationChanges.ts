import type { ShallowRef } from "vue";

import * as api from "@/api/conversations";
import { ApiError } from "@/api/http";
import type { RatingNotice } from "@/api/socket";
import type { AnswerSettings } from "@/api/types";
import type { ConversationRows } from "@/composables/conversationRows";
import { useNotices } from "@/composables/useNotices";
import { useTrying } from "@/composables/useTrying";
import type { Turns } from "@/composables/useTurns";

export interface UseConversationChanges {
  /** Why the last change was not taken. */
  error: ShallowRef<ApiError | null>;
  /** Change it here at once and then on the server, one change after the other. */
  change: (id: string, wanted: api.ConversationChange) => Promise<void>;
  /** Ask it differently from now on. Why the server did not take that, or null; then all is as it was. */
  configure: (id: string, settings: Partial<AnswerSettings>) => Promise<ApiError | null>;
  rate: (id: string, message: string, rating: api.MessageRating) => Promise<void>;
  /** Delete it; what brings it back, or null when it could not be deleted. */
  remove: (id: string) => Promise<(() => Promise<void>) | null>;
}

/** What a person does with conversations that the server has. */
export function useConversationChanges({ rows, trees, changing, put, setMessage }: ConversationRows, { inTurn, idle }: Turns): UseConversationChanges {
  const { error, trying } = useTrying();

  async function change(id: string, wanted: api.ConversationChange): Promise<void> {
    const before = rows.get(id);
    if (before === undefined) return;
    const mine = { wanted: { ...changing.get(id)?.wanted, ...wanted } };
    changing.set(id, mine);
    rows.set(id, { ...before, ...wanted });
    const act = async (): Promise<void> => {
      put(await api.changeConversation(id, wanted));
    };
    const undo = (): void => {
      const names = Object.keys(wanted) as (keyof api.ConversationChange)[];
      const now = rows.get(id);
      if (now !== undefined) rows.set(id, { ...now, ...Object.fromEntries(names.map((name) => [name, before[name]])) });
    };
    await inTurn(id, () => trying(act, undo));
    if (changing.get(id) === mine) changing.delete(id);
  }

  async function configure(id: string, settings: Partial<AnswerSettings>): Promise<ApiError | null> {
    let refused: ApiError | null = null;
    await inTurn(id, async () => {
      try {
        put(await api.changeConversation(id, settings));
      } catch (reason) {
        if (!(reason instanceof ApiError)) throw reason;
        refused = reason;
      }
    });
    return refused;
  }

  async function rate(id: string, message: string, rating: api.MessageRating): Promise<void> {
    const before = trees.get(id)?.find((each) => each.id === message);
    if (before === undefined) return;
    setMessage(id, message, rating);
    const act = async (): Promise<void> => {
      await api.rateMessage(id, message, rating);
    };
    const undo = (): void => {
      setMessage(id, message, { rating: before.rating, rating_reason: before.rating_reason });
    };
    await inTurn(message, () => trying(act, undo));
  }

  /** Another page has rated it, or this one: then what was clicked last here is on its way, and told of next. */
  async function ratedElsewhere(message: string, { conversation, ...rating }: RatingNotice): Promise<void> {
    await idle(message);
    setMessage(conversation, message, rating);
  }

  useNotices("rating", ({ id, data }) => void ratedElsewhere(id, data));

  async function remove(id: string): Promise<(() => Promise<void>) | null> {
    const row = rows.get(id);
    if (row === undefined) return null;
    rows.delete(id);
    const deleted = await trying(
      () => api.deleteConversation(id),
      () => rows.set(id, row),
    );
    if (deleted) trees.delete(id);
    return deleted ? () => restore(id) : null;
  }

  async function restore(id: string): Promise<void> {
    await trying(async () => {
      put(await api.restoreConversation(id));
    });
  }

  return { error, change, configure, rate, remove };
}
