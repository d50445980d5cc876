// Numbers as people read them. Base units in; what is not known is a dash.

export const DASH = "–";

function digits(v: number): string {
  const a = Math.abs(v);
  if (a >= 100) return v.toFixed(0);
  return a >= 10 ? v.toFixed(1) : v.toFixed(2);
}

function scaled(v: number, step: number, units: string[]): string {
  let i = 0;
  let x = v;
  // 999.6 would be written as 1000.
  while (Math.abs(x) >= step - 0.5 && i < units.length - 1) {
    x /= step;
    i += 1;
  }
  return `${i === 0 ? x.toFixed(0) : digits(x)} ${units[i]}`;
}

export const bytes = (v: number) => scaled(v, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]);
export const rate = (v: number) => scaled(v, 1000, ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"]);
export const bits = (v: number) => scaled(v, 1000, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]);
export const celsius = (v: number) => `${v.toFixed(0)} °C`;
export const whole = (v: number) => Math.round(v).toLocaleString("en-GB");
export const number = (v: number) => (Number.isInteger(v) ? whole(v) : digits(v));

export function percent(v: number): string {
  const p = v * 100;
  return `${p > 0 && p < 1 ? p.toFixed(1) : p.toFixed(0)} %`;
}

export function seconds(v: number): string {
  if (v < 0.001) return `${(v * 1e6).toFixed(0)} µs`;
  if (v < 0.1) return `${(v * 1e3).toFixed(v < 0.01 ? 1 : 0)} ms`;
  if (v < 9.95) return `${v.toFixed(1)} s`;
  if (v < 99.5) return `${v.toFixed(0)} s`;
  if (v < 99.5 * 60) return `${(v / 60).toFixed(0)} min`;
  if (v < 47.5 * 3600) return `${(v / 3600).toFixed(0)} h`;
  return `${(v / 86400).toFixed(0)} days`;
}

/** An age: nobody reads milliseconds of it. */
export const age = (v: number) => (v < 9.95 ? `${v.toFixed(1)} s` : seconds(v));

/** A value of an attribute with this base unit. */
export function inUnit(v: number, unit: string): string {
  switch (unit) {
    case "bytes":
      return bytes(v);
    case "bytes/s":
      return rate(v);
    case "bits/s":
      return bits(v);
    case "ratio":
      return percent(v);
    case "seconds":
      return seconds(v);
    case "celsius":
      return celsius(v);
    default:
      return number(v);
  }
}

/** Reads an amount of memory as the command line does: 8G is 8 GiB, 8GB is 8,000,000,000. */
export function readBytes(text: string): number | null {
  const m = /^\s*([0-9]*\.?[0-9]+)\s*([kKMGTP]?)(i?)([bB]?)\s*$/.exec(text);
  if (!m) return null;
  const power = "KMGTP".indexOf((m[2] ?? "").toUpperCase()) + 1;
  if (power === 0 && m[3]) return null;
  const step = m[3] || !m[4] ? 1024 : 1000;
  return Number(m[1]) * step ** power;
}
