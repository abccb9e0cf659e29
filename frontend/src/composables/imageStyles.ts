/** Looks by name: words that are added to what a person wrote, in the language in which they wrote it. */

export interface StyleWords {
  readonly name: string;
  readonly prompt: string;
  readonly negative: string;
}

export interface ImageStyle {
  readonly id: string;
  readonly en: StyleWords;
  readonly zh: StyleWords;
}

export const STYLES: readonly ImageStyle[] = [
  {
    id: "cinema",
    en: { name: "Cinema", prompt: "cinematic film still, dramatic light, shallow depth of field", negative: "flat light" },
    zh: { name: "电影", prompt: "电影画面，戏剧性光线，浅景深", negative: "平光" },
  },
  {
    id: "photo",
    en: { name: "Photo", prompt: "photograph, natural light, fine detail", negative: "drawing, painting" },
    zh: { name: "摄影", prompt: "摄影作品，自然光，细节清晰", negative: "绘画" },
  },
  {
    id: "ink",
    en: { name: "Ink", prompt: "Chinese ink wash painting, rice paper, empty space", negative: "photograph, bright colours" },
    zh: { name: "水墨", prompt: "水墨画，宣纸，留白", negative: "照片，鲜艳的颜色" },
  },
  {
    id: "watercolour",
    en: { name: "Watercolour", prompt: "watercolour painting, soft edges, paper texture", negative: "photograph" },
    zh: { name: "水彩", prompt: "水彩画，柔和的边缘，纸纹", negative: "照片" },
  },
  {
    id: "illustration",
    en: { name: "Illustration", prompt: "flat illustration, clean shapes, limited palette", negative: "photograph, noise" },
    zh: { name: "插画", prompt: "扁平插画，简洁的形状，有限的配色", negative: "照片，噪点" },
  },
  {
    id: "anime",
    en: { name: "Anime", prompt: "anime illustration, clean lines, vivid colours", negative: "photograph" },
    zh: { name: "动漫", prompt: "动漫插画，线条干净，色彩鲜明", negative: "照片" },
  },
  {
    id: "product",
    en: { name: "Product", prompt: "studio product shot, plain background, soft shadow", negative: "people, clutter" },
    zh: { name: "产品", prompt: "棚拍产品图，纯色背景，柔和阴影", negative: "人物，杂物" },
  },
  {
    id: "pixels",
    en: { name: "Pixel art", prompt: "pixel art, few colours, crisp pixels", negative: "blur, gradients" },
    zh: { name: "像素画", prompt: "像素画，颜色少，像素清晰", negative: "模糊，渐变" },
  },
];

const HAN = /\p{Script=Han}/u;

/** The words of the chosen styles, for a model that reads only `languages` (all, where it names none). */
export function wordsOf(chosen: readonly string[], prompt: string, languages: readonly string[]): StyleWords[] {
  const chinese = HAN.test(prompt) && (languages.length === 0 || languages.includes("zh"));
  return STYLES.filter(({ id }) => chosen.includes(id)).map((style) => (chinese ? style.zh : style.en));
}

/** What was written and what is added, as one text; empty parts are left out. */
export function joinWords(parts: readonly string[]): string {
  const said = parts.map((part) => part.trim().replace(/[,，.。]$/, "")).filter((part) => part !== "");
  return said.join(said.some((part) => HAN.test(part)) ? "，" : ", ");
}
