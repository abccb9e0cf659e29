import type { Messages } from "@/i18n";
import { chat } from "@/i18n/zh/chat";
import { common } from "@/i18n/zh/common";
import { image } from "@/i18n/zh/image";
import { ssml, ssmlFault, textFile, voice, voiceStyle } from "@/i18n/zh/voice";

export const zh: Messages = { ...common, chat, image, voice, voiceStyle, ssml, ssmlFault, textFile };
