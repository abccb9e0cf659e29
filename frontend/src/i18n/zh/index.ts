import type { Messages } from "@/i18n/messages";
import { assistants } from "@/i18n/zh/assistants";
import { chat } from "@/i18n/zh/chat";
import { common } from "@/i18n/zh/common";
import { compare } from "@/i18n/zh/compare";
export { failures } from "@/i18n/zh/failures";
import { folders } from "@/i18n/zh/folders";
import { gallery } from "@/i18n/zh/gallery";
import { image } from "@/i18n/zh/image";
import { keyboard } from "@/i18n/zh/keyboard";
import { models } from "@/i18n/zh/models";
import { tray } from "@/i18n/zh/tray";
import { ssml, ssmlFault, textFile, voice, voiceStyle } from "@/i18n/zh/voice";

export const zh: Messages = { ...common, assistants, chat, compare, folders, gallery, image, keyboard, models, ssml, ssmlFault, textFile, tray, voice, voiceStyle };
