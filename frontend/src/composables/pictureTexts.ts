/** The texts that a picture file carries beside its pixels: PNG text chunks, EXIF and XMP. Reads bytes, knows no meaning. */

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const JPEG = [0xff, 0xd8, 0xff];
const XMP_IN_JPEG = "http://ns.adobe.com/xap/1.0/\0";
const EXIF_HEADER = "Exif\0\0";
// More than this is no text that describes a picture.
const TEXT_MAX = 2 ** 20;

const IMAGE_DESCRIPTION = 0x010e;
const XP_COMMENT = 0x9c9c;
const EXIF_DIRECTORY = 0x8769;
const USER_COMMENT = 0x9286;
const EXIF_TEXTS = new Set([IMAGE_DESCRIPTION, XP_COMMENT, USER_COMMENT]);

const latin = new TextDecoder("latin1");
const utf8 = new TextDecoder("utf-8");

/** All texts of a PNG, JPEG or WebP, in their order; a broken or unknown file gives those before the fault. */
export async function readTexts(bytes: Uint8Array): Promise<string[]> {
  const texts: string[] = [];
  for await (const text of textsOf(bytes)) if (text.trim() !== "") texts.push(text);
  return texts;
}

async function* textsOf(bytes: Uint8Array): AsyncGenerator<string> {
  if (begins(bytes, PNG)) yield* pngTexts(bytes);
  else if (begins(bytes, JPEG)) yield* jpegTexts(bytes);
  else if (ascii(bytes, 0, 4) === "RIFF" && ascii(bytes, 8, 12) === "WEBP") yield* webpTexts(bytes);
}

function begins(bytes: Uint8Array, signature: readonly number[]): boolean {
  return signature.every((byte, at) => bytes[at] === byte);
}

function ascii(bytes: Uint8Array, from: number, to: number): string {
  return latin.decode(bytes.subarray(from, to));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// --- PNG: length, type, data, checksum

async function* pngTexts(bytes: Uint8Array): AsyncGenerator<string> {
  const view = viewOf(bytes);
  for (let at = PNG.length; at + 12 <= bytes.length; ) {
    const end = at + 8 + view.getUint32(at);
    if (end > bytes.length) return;
    const data = bytes.subarray(at + 8, end);
    const type = ascii(bytes, at + 4, at + 8);
    if (type === "eXIf") yield* exifTexts(data);
    else if (type === "tEXt" || type === "zTXt" || type === "iTXt") yield await pngText(type, data);
    at = end + 4;
  }
}

async function pngText(type: "tEXt" | "zTXt" | "iTXt", data: Uint8Array): Promise<string> {
  const name = data.indexOf(0);
  if (name < 0) return "";
  // Latin-1 says the specification, UTF-8 many programs.
  if (type === "tEXt") return fromUtf8OrLatin(data.subarray(name + 1));
  if (type === "zTXt") return fromUtf8OrLatin(await inflated(data.subarray(name + 2)));
  const language = data.indexOf(0, name + 3);
  const translated = language < 0 ? -1 : data.indexOf(0, language + 1);
  if (translated < 0) return "";
  const text = data.subarray(translated + 1);
  return utf8.decode(data[name + 1] === 1 ? await inflated(text) : text);
}

function fromUtf8OrLatin(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // Bytes that are no UTF-8 are what the specification says.
    return latin.decode(bytes);
  }
}

/** Without what is compressed wrongly, and without what would grow beyond any text. */
async function inflated(bytes: Uint8Array): Promise<Uint8Array> {
  const reader = new Response(new Uint8Array(bytes)).body?.pipeThrough(new DecompressionStream("deflate")).getReader();
  if (reader === undefined) return new Uint8Array();
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      length += piece.value.length;
      if (length > TEXT_MAX) return new Uint8Array();
      pieces.push(piece.value);
    }
  } catch (reason) {
    if (!(reason instanceof TypeError)) throw reason;
    return new Uint8Array();
  } finally {
    reader.releaseLock();
  }
  return joined(pieces, length);
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

// --- JPEG: segments of a marker and a length, up to the scan

function* jpegTexts(bytes: Uint8Array): Generator<string> {
  const view = viewOf(bytes);
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1];
    if (marker === 0xda || marker === 0xd9) return;
    const end = at + 2 + view.getUint16(at + 2);
    const data = bytes.subarray(at + 4, end);
    if (marker === 0xe1) yield* applicationTexts(data);
    if (marker === 0xfe) yield fromUtf8OrLatin(data);
    at = end;
  }
}

function* applicationTexts(data: Uint8Array): Generator<string> {
  if (ascii(data, 0, EXIF_HEADER.length) === EXIF_HEADER) yield* exifTexts(data.subarray(EXIF_HEADER.length));
  else if (ascii(data, 0, XMP_IN_JPEG.length) === XMP_IN_JPEG) yield* xmpTexts(data.subarray(XMP_IN_JPEG.length));
}

// --- WebP: RIFF chunks, padded to even lengths

function* webpTexts(bytes: Uint8Array): Generator<string> {
  const view = viewOf(bytes);
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true);
    const data = bytes.subarray(at + 8, at + 8 + length);
    const type = ascii(bytes, at, at + 4);
    // Some programs keep JPEG's header before the EXIF data.
    if (type === "EXIF") yield* exifTexts(ascii(data, 0, EXIF_HEADER.length) === EXIF_HEADER ? data.subarray(EXIF_HEADER.length) : data);
    if (type === "XMP ") yield* xmpTexts(data);
    at += 8 + length + (length % 2);
  }
}

// --- EXIF: a TIFF of directories

function* exifTexts(tiff: Uint8Array): Generator<string> {
  const order = ascii(tiff, 0, 2);
  if ((order !== "II" && order !== "MM") || tiff.length < 8) return;
  const little = order === "II";
  yield* directoryTexts(tiff, viewOf(tiff).getUint32(4, little), little);
}

function* directoryTexts(tiff: Uint8Array, start: number, little: boolean, depth = 0): Generator<string> {
  if (start + 2 > tiff.length || depth > 1) return;
  const view = viewOf(tiff);
  const entries = view.getUint16(start, little);
  for (let at = start + 2; at < start + 2 + entries * 12 && at + 12 <= tiff.length; at += 12) {
    const tag = view.getUint16(at, little);
    if (tag === EXIF_DIRECTORY) yield* directoryTexts(tiff, view.getUint32(at + 8, little), little, depth + 1);
    if (!EXIF_TEXTS.has(tag)) continue;
    // All three are of bytes; up to four of them are kept in the entry itself.
    const length = view.getUint32(at + 4, little);
    const from = length <= 4 ? at + 8 : view.getUint32(at + 8, little);
    yield exifText(tag, tiff.subarray(from, from + length), little);
  }
}

function exifText(tag: number, bytes: Uint8Array, little: boolean): string {
  const text = tag === USER_COMMENT ? commentText(bytes, little) : tag === XP_COMMENT ? utf16(bytes, true) : fromUtf8OrLatin(bytes);
  return text.replace(/\0+$/, "");
}

/** A comment begins with eight bytes that name its letters. */
function commentText(bytes: Uint8Array, little: boolean): string {
  const text = bytes.subarray(8);
  return ascii(bytes, 0, 7) === "UNICODE" ? utf16(text, little) : fromUtf8OrLatin(text);
}

/** Programs disagree about the byte order of a comment: the side of its zero bytes tells it, where there are any. */
function utf16(bytes: Uint8Array, little: boolean): string {
  const [even, odd] = [0, 1].map((side) => bytes.filter((byte, at) => byte === 0 && at % 2 === side).length) as [number, number];
  const order = even === odd ? little : odd > even;
  return new TextDecoder(order ? "utf-16le" : "utf-16be").decode(bytes);
}

// --- XMP: every text and every attribute of the document

function* xmpTexts(bytes: Uint8Array): Generator<string> {
  const document = new DOMParser().parseFromString(utf8.decode(bytes).replace(/\0+$/, ""), "application/xml");
  for (const element of document.querySelectorAll("*")) {
    for (const { value } of element.attributes) yield value;
    if (element.childElementCount === 0) yield element.textContent;
  }
}
