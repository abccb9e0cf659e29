/** How loud a speech is over its time, as a row of bars. */

export const PEAKS_PER_S = 50;
// What peaks need of the samples: a long speech decoded at 44 kHz would take hundreds of megabytes.
const DECODED_HZ = 8000;

/** The loudest sample of each fiftieth of a second, 0 to 1. */
export function peaksOf(samples: Float32Array, rate: number): Float32Array {
  const size = rate / PEAKS_PER_S;
  return Float32Array.from({ length: Math.ceil(samples.length / size) }, (_, index) => {
    const end = Math.min(samples.length, Math.round((index + 1) * size));
    let peak = 0;
    for (let at = Math.round(index * size); at < end; at += 1) peak = Math.max(peak, Math.abs(samples[at] ?? 0));
    return peak;
  });
}

/** `all` with `peaks` from a second on, longer where it must be. */
export function withPeaks(all: Float32Array, peaks: Float32Array, startS: number): Float32Array {
  const at = Math.round(startS * PEAKS_PER_S);
  const joined = new Float32Array(Math.max(all.length, at + peaks.length));
  joined.set(all);
  joined.set(peaks, at);
  return joined;
}

/** The heights of `count` bars over `scaleS` seconds, 0 to 1 of the loudest. */
export function barsOf(peaks: Float32Array, scaleS: number, count: number): number[] {
  const loudest = Math.max(0.1, peaks.reduce((most, each) => Math.max(most, each), 0));
  const width = (scaleS * PEAKS_PER_S) / count;
  return Array.from({ length: count }, (_, index) => {
    const start = Math.floor(index * width);
    const end = Math.max(start + 1, Math.floor((index + 1) * width));
    let peak = 0;
    for (let at = start; at < end && at < peaks.length; at += 1) peak = Math.max(peak, peaks[at] ?? 0);
    return peak / loudest;
  });
}

/** The peaks of a sound file; null where it cannot be read. */
export async function readPeaks(url: string): Promise<Float32Array | null> {
  let bytes: ArrayBuffer;
  try {
    const response = await fetch(url, { credentials: "same-origin" });
    if (!response.ok) return null;
    bytes = await response.arrayBuffer();
  } catch (reason) {
    // Offline: the player says so; the wave stays flat.
    if (reason instanceof TypeError) return null;
    throw reason;
  }
  try {
    const sound = await new OfflineAudioContext(1, 1, DECODED_HZ).decodeAudioData(bytes);
    return peaksOf(sound.getChannelData(0), DECODED_HZ);
  } catch (reason) {
    if (reason instanceof DOMException) return null;
    throw reason;
  }
}
