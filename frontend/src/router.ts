import { createRouter, createWebHistory, type RouteLocationNormalized, type RouteRecordRaw } from "vue-router";

import { ApiError } from "@/api/http";
import { useSession } from "@/composables/useSession";
import type { en } from "@/i18n/en";

declare module "vue-router" {
  interface RouteMeta {
    title: keyof (typeof en)["pages"];
    /** Reachable without signing in. */
    open?: boolean;
  }
}

const routes: RouteRecordRaw[] = [
  { path: "/", redirect: "/chat" },
  { path: "/sign-in", name: "sign-in", component: () => import("@/pages/SignInPage.vue"), meta: { title: "signIn", open: true } },
  { path: "/welcome/:token?", name: "welcome", component: () => import("@/pages/WelcomePage.vue"), meta: { title: "welcome", open: true } },
  { path: "/chat/:id?", name: "chat", component: () => import("@/pages/ChatPage.vue"), meta: { title: "chat" } },
  {
    // One parent, so that the rail shows where one is on both.
    path: "/image",
    children: [
      { path: "", name: "image", component: () => import("@/pages/ImagePage.vue"), meta: { title: "image" } },
      { path: "gallery", name: "gallery", component: () => import("@/pages/GalleryPage.vue"), meta: { title: "gallery" } },
    ],
  },
  { path: "/voice", name: "voice", component: () => import("@/pages/VoicePage.vue"), meta: { title: "voice" } },
  { path: "/jobs", name: "jobs", component: () => import("@/pages/JobsPage.vue"), meta: { title: "jobs" } },
  { path: "/assistants/:id?", name: "assistants", component: () => import("@/pages/AssistantsPage.vue"), meta: { title: "assistants" } },
  { path: "/models", name: "models", component: () => import("@/pages/ModelsPage.vue"), meta: { title: "models" } },
  { path: "/me", name: "me", component: () => import("@/pages/MePage.vue"), meta: { title: "me" } },
  { path: "/:path(.*)*", name: "not-found", component: () => import("@/pages/NotFoundPage.vue"), meta: { title: "notFound", open: true } },
];

export const router = createRouter({ history: createWebHistory(), routes });

router.beforeEach(async (to) => {
  const session = useSession();
  if (session.state === "unknown") {
    beginToLoad(to);
    try {
      await session.load();
    } catch (reason) {
      // The server is away: App shows that instead of the page.
      if (!(reason instanceof ApiError)) throw reason;
      return true;
    }
  }
  if (to.meta.open === true || session.user !== null) return true;
  return { name: "sign-in", query: to.path === "/chat" ? {} : { next: to.fullPath } };
});

/** Fetch the page while the server is still asked who is signed in: both are needed before the first paint. */
function beginToLoad(to: RouteLocationNormalized): void {
  for (const { components } of to.matched) {
    const page: unknown = components?.["default"];
    // A failure is told by the router, which asks for the same module again.
    if (typeof page === "function") void (page as () => Promise<unknown>)().catch(() => undefined);
  }
}

/** Where to go after signing in: a path of ours, never another site's. */
export function nextPath(next: unknown): string {
  return typeof next === "string" && /^\/(?![/\\])/.test(next) ? next : "/chat";
}
