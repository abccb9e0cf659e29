import { createPinia } from "pinia";
import { createApp } from "vue";

import App from "@/App.vue";
import { usePreferences } from "@/composables/usePreferences";
import { i18n, setLocale } from "@/i18n";
import { router } from "@/router";

import "@/styles/tokens.css";
import "@/styles/base.css";

const pinia = createPinia();
// Its words first, so that nobody sees the page in another language for a moment.
await setLocale(usePreferences(pinia).locale);
createApp(App).use(pinia).use(i18n).use(router).mount("#app");
