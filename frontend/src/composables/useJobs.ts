import { createEventHook, useDocumentVisibility, useEventListener, useIntervalFn } from "@vueuse/core";
import { defineStore } from "pinia";
import { computed, shallowReactive, shallowRef, watch } from "vue";

import { isTerminal, type JobEvent } from "@/api/events";
import { ApiError } from "@/api/http";
import { cancelJob, getJob, listJobs, submitJob, type NewJob } from "@/api/jobs";
import { JobSocket, connectBrowser, type Notice, type SocketState } from "@/api/socket";
import type { Job, JobStatus, Medium, Page } from "@/api/types";
import { EMPTY, apply, isEnded, snapshotOf, type Snapshot } from "@/composables/snapshot";
import { UNSEEN, observe, type Timing } from "@/composables/timing";
import { useSession } from "@/composables/useSession";

/** A job as this page knows it: immutable, replaced at most once a frame. */
export interface JobView {
  readonly id: string;
  readonly job: Job;
  readonly snapshot: Snapshot;
  readonly timing: Timing;
  /** Stop was pressed and the end has not arrived yet. */
  readonly stopping: boolean;
}

/** A job as the API read it. An unfinished one begins empty: it is folded from its first event on. */
export function viewOf(job: Job): JobView {
  const waiting: Snapshot = { ...EMPTY, position: job.position ?? null, etaS: job.eta_s ?? null };
  return { id: job.id, job, snapshot: isEnded(job.status) ? snapshotOf(job) : waiting, timing: UNSEEN, stopping: false };
}

const UNFINISHED: readonly JobStatus[] = ["queued", "running"];
const FOLLOW_AGAIN_MS = 5000;
/** How often a page that is looked at asks for jobs that were begun elsewhere: their events come only once it follows them. */
const LOOK_MS = 15_000;
/** Of the list's pages; more jobs at once than they hold nobody has. */
const PAGES_OF_RUNNING = 10;

/**
 * The jobs of this page and the one socket that follows them.
 *
 * Submit and stop go by REST, not by the socket: an answer that is lost with its connection can then be asked for
 * again (the idempotency key), and an error has its status and field.
 */
export const useJobs = defineStore("jobs", () => {
  const session = useSession();
  const connection = shallowRef<SocketState>({ status: "closed" });
  const views = shallowReactive(new Map<string, JobView>());
  // What has arrived since the last frame: a hundred tokens a second are painted sixty times at most.
  const arrived = new Map<string, JobView>();
  let frame: number | null = null;

  const notices = createEventHook<Notice>();
  const watching = createEventHook<null>();
  const socket = new JobSocket(connectBrowser, {
    state: socketChanged,
    event: received,
    watching: () => void watching.trigger(null),
    changed: (notice) => void notices.trigger(notice),
    refused,
  });

  const running = computed(() =>
    [...views.values()]
      .filter((view) => !isEnded(view.snapshot.status))
      .sort((a, b) => a.job.created_at.localeCompare(b.job.created_at)),
  );

  function latest(id: string): JobView | undefined {
    return arrived.get(id) ?? views.get(id);
  }

  function put(view: JobView): void {
    arrived.set(view.id, view);
    frame ??= nextFrame(paint);
  }

  function paint(): void {
    frame = null;
    for (const [id, view] of arrived) views.set(id, view);
    arrived.clear();
  }

  function received(id: string, event: JobEvent): void {
    const view = latest(id);
    if (view === undefined) return;
    put({
      ...view,
      snapshot: apply(view.snapshot, event),
      timing: observe(view.timing, event, performance.now()),
      stopping: view.stopping && !isTerminal(event),
    });
  }

  function refused(id: string): void {
    // The stream may have expired, or the row is not there yet for this process: the job itself says which.
    setTimeout(() => void open(id, { again: true }), FOLLOW_AGAIN_MS);
  }

  function socketChanged(state: SocketState): void {
    const before = connection.value.status;
    connection.value = state;
    // Jobs that were started elsewhere while this page was cut off.
    if (state.status === "open") void findRunning();
    // A refused handshake looks like any other failure to a page: only the session tells a sign-out from an outage.
    if (state.status === "waiting" && before === "connecting") void session.check();
  }

  function add(job: Job, timing = UNSEEN): JobView {
    const known = latest(job.id);
    if (known !== undefined && !isEnded(job.status)) return known;
    const view: JobView = { ...viewOf(job), timing: known?.timing ?? timing };
    arrived.delete(job.id);
    views.set(job.id, view);
    if (isEnded(job.status)) socket.unfollow(job.id);
    else socket.follow(job.id);
    return view;
  }

  /** Know this job, asking the server if need be. Throws ApiError (404 for a job that is not ours). */
  async function open(id: string, { again = false } = {}): Promise<JobView> {
    const known = latest(id);
    if (known !== undefined && (!again || isEnded(known.snapshot.status))) return known;
    const job = await getJob(id);
    if (again && !isEnded(job.status)) views.delete(id);
    return add(job);
  }

  /** Submit a job and follow it. Throws ApiError. */
  async function submit<K extends Medium>(job: NewJob<K>): Promise<JobView> {
    const submittedAt = performance.now();
    return add(await submitJob(job), { ...UNSEEN, submittedAt });
  }

  /** Follow a job that another call of this page has just made. */
  function adopt(job: Job, submittedAt: number): void {
    add(job, { ...UNSEEN, submittedAt });
  }

  /** Ask the job to stop; it says "stopping" at once. Throws ApiError when the server could not be asked. */
  async function stop(id: string): Promise<void> {
    setStopping(id, true);
    try {
      const job = await cancelJob(id);
      if (isEnded(job.status)) add(job);
    } catch (reason) {
      setStopping(id, false);
      throw reason;
    }
  }

  function setStopping(id: string, stopping: boolean): void {
    const view = latest(id);
    if (view !== undefined && !isEnded(view.snapshot.status)) put({ ...view, stopping });
  }

  /** Find the jobs that run, also those of another device or of this page before it was loaded again. */
  async function findRunning(): Promise<void> {
    try {
      let cursor: string | null = null;
      for (let page = 0; page < PAGES_OF_RUNNING; page += 1) {
        const { results, next }: Page<Job> = await listJobs({ status: UNFINISHED, ...(cursor === null ? {} : { cursor }) });
        for (const job of results) add(job);
        if (next === null) return;
        cursor = next;
      }
    } catch (reason) {
      // Offline or signed out: the next opening of the socket asks again.
      if (!(reason instanceof ApiError)) throw reason;
    }
  }

  /** It was deleted: this page no longer knows it. */
  function forget(id: string): void {
    socket.unfollow(id);
    arrived.delete(id);
    views.delete(id);
  }

  function forgetAll(): void {
    socket.close();
    views.clear();
    arrived.clear();
  }

  watch(
    () => session.user,
    (user) => {
      if (user === null) forgetAll();
      else socket.open();
    },
    { immediate: true },
  );

  useEventListener(window, "online", () => {
    socket.wake();
  });
  const visibility = useDocumentVisibility();
  watch(visibility, (seen) => {
    if (seen === "visible") socket.wake();
  });

  useIntervalFn(() => {
    if (connection.value.status === "open" && visibility.value !== "hidden") void findRunning();
  }, LOOK_MS);

  /** Try the connection now instead of at the end of its delay. */
  function reconnect(): void {
    socket.wake();
  }

  return { connection, views, running, onNotice: notices.on, onWatching: watching.on, open, submit, adopt, stop, forget, findRunning, reconnect };
});

/** The next animation frame; a page that is not seen has none, and must keep its snapshots all the same. */
function nextFrame(run: () => void): number {
  return document.hidden ? window.setTimeout(run, 100) : requestAnimationFrame(run);
}
