import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Status } from "../src/api/answers.js";
import { useApi } from "./api.js";
import { Footer } from "./components/footer.js";
import { Help } from "./components/help.js";
import { EVERYWHERE, useKeys } from "./keyboard.js";
import { togglePause, useLiveState } from "./live.js";
import { linkTo, navigate, setQuery, usePlace } from "./router.js";
import { showLine } from "./show-text.js";
import { toggleTheme, useTheme } from "./theme.js";

/** The pages, each with the second key of `g …`. */
const PAGES = [
  { parts: [], title: "Now", key: "n" },
  { parts: ["requests"], title: "Requests", key: "r" },
  { parts: ["queries"], title: "Queries", key: "q" },
  { parts: ["caches"], title: "Caches", key: "c" },
  { parts: ["pools"], title: "Pools", key: "p" },
  { parts: ["findings"], title: "Findings", key: "f" },
  { parts: ["metrics"], title: "Metrics", key: "m" },
] as const;

export function Layout({ children }: { readonly children: ComponentChildren }) {
  const { path, query } = usePlace();
  const theme = useTheme();
  const live = useLiveState();
  const [isHelping, setHelping] = useState(false);
  const { data: status, error } = useApi<Status>("/api/status", ["spans", "logs", "metrics"], { everyMs: 3000 });

  useKeys(EVERYWHERE, [
    { keys: "/", what: "to the filter", run: () => document.querySelector<HTMLElement>("[data-filter]")?.focus() },
    ...PAGES.map(({ parts, title, key }) => ({ keys: `g ${key}`, what: title, run: () => navigate(linkTo(parts)) })),
    { keys: "p", what: "pause, or go on", run: togglePause },
    { keys: "t", what: "dark or light", run: toggleTheme },
    { keys: "?", what: "these keys", run: () => setHelping(true) },
  ]);

  const services = [...new Set(status?.sources.map(({ service }) => service))].sort();
  const service = query.get("service") ?? "";
  if (service && !services.includes(service)) services.push(service);
  const section = path.startsWith("/trace/") ? "requests" : (path.split("/")[1] ?? "");

  return (
    <>
      <a class="skip" href="#main">
        To the content
      </a>
      <header class="top">
        <a class="brand" href={linkTo([])}>
          Telltale
        </a>
        <nav aria-label="Pages">
          {PAGES.map(({ parts, title, key }) => (
            <a
              key={title}
              href={linkTo(parts)}
              aria-current={section === (parts[0] ?? "") ? "page" : undefined}
              title={`g ${key}`}
            >
              {title}
            </a>
          ))}
        </nav>
        <div class="top-tools">
          {(services.length > 1 || service) && (
            <select
              aria-label="Service"
              value={service}
              onChange={(event) => setQuery({ service: event.currentTarget.value }, { push: true })}
            >
              <option value="">all services</option>
              {services.map((name) => (
                <option key={name} value={name}>
                  {showLine(name, 60)}
                </option>
              ))}
            </select>
          )}
          <button type="button" class="live" data-state={live} onClick={togglePause} title="p: pause, or go on">
            {LIVE[live]}
          </button>
          <button
            type="button"
            class="quiet"
            onClick={toggleTheme}
            aria-label={theme === "dark" ? "Light" : "Dark"}
            title="t"
          >
            {theme === "dark" ? "☀" : "☾"}
          </button>
          <button type="button" class="quiet" onClick={() => setHelping(true)} aria-label="Keys" title="?">
            ?
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      <Footer status={status} error={error} />
      {isHelping && <Help onClose={() => setHelping(false)} />}
    </>
  );
}

const LIVE = { connecting: "○ connecting", live: "● live", lost: "✕ not connected", paused: "❚❚ paused" } as const;
