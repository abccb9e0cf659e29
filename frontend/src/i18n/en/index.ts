import { assistants } from "@/i18n/en/assistants";
import { chat } from "@/i18n/en/chat";
import { common } from "@/i18n/en/common";
import { compare } from "@/i18n/en/compare";
import { folders } from "@/i18n/en/folders";
import { gallery } from "@/i18n/en/gallery";
import { image } from "@/i18n/en/image";
import { keyboard } from "@/i18n/en/keyboard";
import { models } from "@/i18n/en/models";
import { tray } from "@/i18n/en/tray";
import { ssml, ssmlFault, textFile, voice, voiceStyle } from "@/i18n/en/voice";

export const en = { ...common, assistants, chat, compare, folders, gallery, image, keyboard, models, ssml, ssmlFault, textFile, tray, voice, voiceStyle };
