import type { Messages } from "@/i18n";
import { chat } from "@/i18n/zh/chat";
import { common } from "@/i18n/zh/common";
import { gallery } from "@/i18n/zh/gallery";
import { image } from "@/i18n/zh/image";
import { voice } from "@/i18n/zh/voice";

export const zh: Messages = { ...common, chat, gallery, image, voice };
