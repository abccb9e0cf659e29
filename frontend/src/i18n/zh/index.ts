import type { Messages } from "@/i18n";
import { chat } from "@/i18n/zh/chat";
import { common } from "@/i18n/zh/common";
import { image } from "@/i18n/zh/image";
import { keyboard } from "@/i18n/zh/keyboard";
import { models } from "@/i18n/zh/models";
import { tray } from "@/i18n/zh/tray";
import { voice } from "@/i18n/zh/voice";

export const zh: Messages = { ...common, chat, image, keyboard, models, tray, voice };
