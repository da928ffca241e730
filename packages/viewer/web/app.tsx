import type { ComponentChildren } from "preact";
import { Layout } from "./layout.js";
import { CachesPage } from "./pages/caches.js";
import { FindingsPage } from "./pages/findings.js";
import { MetricPage } from "./pages/metric.js";
import { MetricsPage } from "./pages/metrics.js";
import { NowPage } from "./pages/now.js";
import { PoolsPage } from "./pages/pools.js";
import { QueriesPage } from "./pages/queries.js";
import { QueryPage } from "./pages/query.js";
import { RequestsPage } from "./pages/requests.js";
import { ComparePage } from "./pages/trace/compare-page.js";
import { TracePage } from "./pages/trace/trace-page.js";
import { Empty, Page } from "./components/page.js";
import { matchPath } from "./match-path.js";
import { usePlace } from "./router.js";

type Parts = Readonly<Record<string, string>>;

const ROUTES: readonly (readonly [string, (parts: Parts) => ComponentChildren])[] = [
  ["/", () => <NowPage />],
  ["/requests", () => <RequestsPage />],
  ["/trace/:id", ({ id = "" }) => <TracePage key={id} traceId={id} />],
  [
    "/trace/:id/compare/:other",
    ({ id = "", other = "" }) => <ComparePage key={`${id} ${other}`} traceId={id} otherId={other} />,
  ],
  ["/queries", () => <QueriesPage />],
  ["/queries/:fingerprint", ({ fingerprint = "" }) => <QueryPage key={fingerprint} fingerprint={fingerprint} />],
  ["/caches", () => <CachesPage />],
  ["/pools", () => <PoolsPage />],
  ["/findings", () => <FindingsPage />],
  ["/metrics", () => <MetricsPage />],
  ["/metrics/:name", ({ name = "" }) => <MetricPage key={name} name={name} />],
];

export function App() {
  const { path } = usePlace();
  return <Layout>{findPage(path)}</Layout>;
}

function findPage(path: string): ComponentChildren {
  for (const [pattern, page] of ROUTES) {
    const parts = matchPath(pattern, path);
    if (parts) return page(parts);
  }
  return (
    <Page title="No such page">
      <Empty title="There is no page at this address.">
        <a href="/">What happens now</a>
      </Empty>
    </Page>
  );
}
