import { chat } from "@/i18n/en/chat";
import { common } from "@/i18n/en/common";
import { image } from "@/i18n/en/image";
import { keyboard } from "@/i18n/en/keyboard";
import { models } from "@/i18n/en/models";
import { tray } from "@/i18n/en/tray";
import { voice } from "@/i18n/en/voice";

export const en = { ...common, chat, image, keyboard, models, tray, voice };
