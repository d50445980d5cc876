import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Daemon } from "./daemon";
import { go, place, said, theme } from "./dom";
import { Banner, Header, Totals } from "./header";
import { Help } from "./help";
import { follow } from "./live";
import { NodePage } from "./node";
import { Overview } from "./overview";
// The order matters: what is for narrow screens comes last.
import "./style/base.css";
import "./style/header.css";
import "./style/panels.css";
import "./style/overview.css";
import "./style/table.css";
import "./style/node.css";
import "./style/which.css";
import "./style/zones.css";
import "./style/states.css";
import "./style/narrow.css";
import { Table } from "./table";
import { Empty } from "./parts";
import { Which } from "./which";
import { Zones } from "./zones";

const VIEWS: Record<string, () => preact.JSX.Element | null> = {
  overview: Overview,
  nodes: Table,
  node: NodePage,
  which: Which,
  zones: Zones,
  daemon: Daemon,
};
const TITLES: Record<string, string> = { overview: "Overview", nodes: "Nodes", which: "Which machine?", zones: "Zones", daemon: "Daemon" };
const KEYS: Record<string, string> = { o: "#/overview", n: "#/nodes", w: "#/which", z: "#/zones", d: "#/daemon" };

function Page() {
  const [help, setHelp] = useState(false);
  const { view, of } = place.value;
  const main = useRef<HTMLElement>(null);
  const View = VIEWS[view];

  useEffect(() => {
    if (TITLES[view]) document.title = `${TITLES[view]}, peermon`;
    scrollTo(0, 0);
  }, [view, of]);

  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      const target = e.target as HTMLElement;
      if (e.ctrlKey || e.altKey || e.metaKey || target.closest("input, select, textarea, dialog")) return;
      if (e.key === "/") document.getElementById(place.value.view === "nodes" ? "filter" : "search")?.focus();
      else if (e.key === "?") setHelp(true);
      else if (e.key === "t") document.querySelector<HTMLElement>("[data-theme-switch]")?.click();
      else if (e.key === "Escape" && place.value.view === "node") history.back();
      else if (KEYS[e.key]) go(KEYS[e.key]!);
      else return;
      e.preventDefault();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);

  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(e) => {
          e.preventDefault();
          main.current?.focus();
        }}
      >
        to the content
      </a>
      <Header onHelp={() => setHelp(true)} />
      {view !== "overview" && <Totals />}
      <Banner />
      <main ref={main} id="main" tabIndex={-1} data-view={view}>
        {View ? (
          <View />
        ) : (
          <Empty title="There is no such view">
            <a href="#/">to the overview</a>
          </Empty>
        )}
      </main>
      <p class="hidden" role="status">
        {said.value}
      </p>
      <Help open={help} onClose={() => setHelp(false)} />
    </>
  );
}

void theme.value;
follow();
render(<Page />, document.getElementById("page")!);
