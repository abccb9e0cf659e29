import type { PictureDetail } from "@/api/types";
import type { Translate } from "@/composables/jobWords";

const KB = 1024;

export interface Fact {
  label: string;
  value: string;
}

/** How a picture was made, for people: what the model used where it said so, else what was asked. */
export function factsOf(picture: PictureDetail, t: Translate, locale: string): Fact[] {
  const { input, parameters } = picture;
  const all: [string, string | number | null | undefined][] = [
    [t("image.size"), `${picture.width} × ${picture.height}`],
    [t("image.seed"), picture.seed],
    [t("image.steps"), parameters["steps"] ?? input.steps],
    [t("image.guidance"), parameters["guidance"] ?? input.guidance],
    [t("image.scheduler"), parameters["scheduler"] ?? input.scheduler],
    [t("image.strength"), parameters["strength"] ?? input.strength],
    [t("image.negative"), input.negative_prompt],
    [t("model.label"), picture.model],
    [t("gallery.made"), new Date(picture.created_at).toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" })],
    [t("gallery.fileSize"), fileSize(picture.size)],
  ];
  return all.flatMap(([label, value]) => (value === null || value === undefined || value === "" ? [] : [{ label, value: String(value) }]));
}

function fileSize(bytes: number): string {
  return bytes < KB * KB ? `${Math.max(1, Math.round(bytes / KB))} KB` : `${(bytes / KB / KB).toFixed(1)} MB`;
}
