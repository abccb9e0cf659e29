import { chat } from "@/i18n/en/chat";
import { common } from "@/i18n/en/common";
import { image } from "@/i18n/en/image";
import { ssml, ssmlFault, textFile, voice, voiceStyle } from "@/i18n/en/voice";

export const en = { ...common, chat, image, voice, voiceStyle, ssml, ssmlFault, textFile };
