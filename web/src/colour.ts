// Colours of levels: one scale for each theme, from calm to hot. Lightness rises or falls along it as well as hue, so that it can be
// read without telling red from green.

const DARK = ["#18303f", "#1d5566", "#2a8c7f", "#a3b548", "#f0a93b", "#e5533d"];
const LIGHT = ["#e3edf2", "#b4d8dc", "#74bdb0", "#e6c84f", "#ee8f3a", "#c8303a"];
const STEPS = 100;

function channels(hex: string): [number, number, number] {
  const n = Number.parseInt(hex.slice(1), 16);
  return [n >> 16, (n >> 8) & 255, n & 255];
}

function scale(stops: string[]): { fill: string; ink: string }[] {
  const points = stops.map(channels);
  return Array.from({ length: STEPS + 1 }, (_, i) => {
    const at = (i / STEPS) * (points.length - 1);
    const from = points[Math.floor(at)]!;
    const to = points[Math.min(Math.floor(at) + 1, points.length - 1)]!;
    const [r, g, b] = from.map((c, k) => Math.round(c + (to[k]! - c) * (at % 1))) as [number, number, number];
    // Perceived lightness decides which text can be read on it.
    const light = 0.299 * r + 0.587 * g + 0.114 * b;
    return { fill: `rgb(${r} ${g} ${b})`, ink: light > 128 ? "#10181d" : "#f4f8fa" };
  });
}

const scales = { dark: scale(DARK), light: scale(LIGHT) };

/** The colour of a level, 0 to 1, and of text on it. */
export function colour(level: number, dark: boolean): { fill: string; ink: string } {
  return scales[dark ? "dark" : "light"][Math.round(Math.min(1, Math.max(0, level)) * STEPS)]!;
}

/** The colour that CSS knows by this name now. */
export function css(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
