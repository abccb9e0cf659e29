import { chat } from "@/i18n/en/chat";
import { common } from "@/i18n/en/common";
import { gallery } from "@/i18n/en/gallery";
import { image } from "@/i18n/en/image";
import { voice } from "@/i18n/en/voice";

export const en = { ...common, chat, gallery, image, voice };
