// Small things that several views need: the address behind #, the theme, what is kept from visit to visit.

import { signal } from "@preact/signals";

export interface Place {
  view: string;
  /** What stands behind the view's name: a node's id. */
  of: string;
  query: URLSearchParams;
}

function read(): Place {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", of = ""] = path.split("/");
  let name = of;
  try {
    name = decodeURIComponent(of);
  } catch {
    // Somebody wrote half of an escape; it is shown as it is.
  }
  return { view: view || "overview", of: name, query: new URLSearchParams(query) };
}

export const place = signal<Place>(read());
addEventListener("hashchange", () => {
  place.value = read();
});

export const go = (hash: string) => {
  location.hash = hash;
};
export const nodeAddress = (id: string) => `#/node/${encodeURIComponent(id)}`;

/** Changes the query behind # without a step in the history. */
export function setQuery(query: URLSearchParams): void {
  const { view } = place.value;
  const text = query.toString();
  history.replaceState(null, "", `#/${view}${text ? `?${text}` : ""}`);
  place.value = read();
}

/** A value that the next visit finds again; where the browser forbids it, it lasts as long as the page. */
export function kept<T>(name: string, usual: T) {
  let value = usual;
  try {
    const text = localStorage.getItem(`peermon.${name}`);
    if (text !== null) value = JSON.parse(text) as T;
  } catch {
    // Not ours to judge: the usual one then.
  }
  const s = signal<T>(value);
  s.subscribe((v) => {
    try {
      localStorage.setItem(`peermon.${name}`, JSON.stringify(v));
    } catch {
      // As above.
    }
  });
  return s;
}

export type Theme = "auto" | "light" | "dark";
export const theme = kept<Theme>("theme", "auto");
const system = matchMedia("(prefers-color-scheme: dark)");
/** Whether it is dark now. */
export const dark = signal(false);
function applyTheme(): void {
  dark.value = theme.value === "dark" || (theme.value === "auto" && system.matches);
  document.documentElement.dataset.theme = dark.value ? "dark" : "light";
}
theme.subscribe(applyTheme);
system.addEventListener("change", applyTheme);

/** What is said to screen readers. */
export const said = signal("");

/** Puts text on the clipboard. Outside https and loopback browsers have only the old way. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
