import { computed, onScopeDispose, ref, watch, type ComputedRef, type Ref } from "vue";

import type { ApiError } from "@/api/http";
import { spokenText } from "@/composables/plainAnswer";
import { isEnded } from "@/composables/snapshot";
import { useJob } from "@/composables/useJob";
import type { JobView } from "@/composables/useJobs";
import { useSentencePlayer, type Sound, type UseSentencePlayer } from "@/composables/useSentencePlayer";
import { useStop } from "@/composables/useStop";
import { useSubmit } from "@/composables/useSubmit";

export interface UseReadAloud {
  /** The answer that is read. */
  answer: Ref<string | null>;
  /** It holds nothing to say: code, or no word at all. */
  nothing: Ref<boolean>;
  view: ComputedRef<JobView | null>;
  player: UseSentencePlayer;
  error: ComputedRef<ApiError | null>;
  read: (answer: { id: string; content: string }, model: string) => Promise<void>;
  /** Be silent, and make no more of it. */
  stop: () => void;
}

/** Reads one answer at a time aloud, sentence after sentence while the speech is made. */
export function useReadAloud(create?: () => Sound): UseReadAloud {
  const { submit, error: submitError } = useSubmit("voice");
  const { stop: stopJob } = useStop();
  const player = useSentencePlayer(create);
  const answer = ref<string | null>(null);
  const nothing = ref(false);
  const job = ref<string | null>(null);
  const { view, error: jobError } = useJob(job);

  async function read({ id, content }: { id: string; content: string }, model: string): Promise<void> {
    stop();
    answer.value = id;
    const text = await spokenText(content);
    if (answer.value !== id) return;
    nothing.value = text.trim() === "";
    if (nothing.value) return;
    player.begin();
    const sent = await submit({ text }, model);
    if (sent === null) return;
    // Somebody may have stopped it, or asked for another one, while it was on its way.
    if (answer.value === id) job.value = sent.id;
    else await stopJob(sent.id);
  }

  function stop(): void {
    const speaking = view.value;
    if (speaking !== null && !isEnded(speaking.snapshot.status)) void stopJob(speaking.id);
    if (player.state.value === "playing") player.toggle();
    answer.value = null;
    job.value = null;
    nothing.value = false;
  }

  watch(
    () => view.value?.snapshot,
    (snapshot) => {
      if (snapshot === undefined) return;
      const file = snapshot.artifacts.at(-1);
      const ended = isEnded(snapshot.status);
      // Spoken before this page had heard of its first sentence.
      if (ended && snapshot.audio.length === 0 && file !== undefined) {
        player.load(file.url, file.duration_s ?? 0, true);
        return;
      }
      player.add(snapshot.audio);
      if (ended) player.finish(file?.url ?? null, file?.duration_s ?? 0);
    },
  );
  onScopeDispose(stop);

  return { answer, nothing, view, player, error: computed(() => submitError.value ?? jobError.value), read, stop };
}
