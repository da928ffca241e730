import type { Now, ProcessNow, RouteNow, Steps } from "../../src/api/answers.js";
import { apiPath, useApi } from "../api.js";
import { FindingLine } from "../components/finding-line.js";
import { Empty, Loaded, NothingYet, Page, Section } from "../components/page.js";
import { useRowKeys } from "../components/row-keys.js";
import { Sparkline } from "../components/sparkline.js";
import { useMinutes, WindowPicker } from "../components/window-picker.js";
import { formatBytes, formatCount, formatMs, formatPlural, formatShare } from "../format.js";
import { linkTo, navigate, usePlace } from "../router.js";
import { showLine } from "../show-text.js";

const MINUTES = 5;

export function NowPage() {
  const service = usePlace().query.get("service");
  const minutes = useMinutes(MINUTES);
  const answer = useApi<Now>(apiPath(["now"], { minutes, service }), ["spans", "metrics", "findings"]);
  return (
    <Page title="Now" tools={<WindowPicker byDefault={MINUTES} />}>
      <Loaded answer={answer}>
        {({ routes, findings, processes }) => (
          <>
            {findings.length > 0 && (
              <Section title="Findings" note={<a href={linkTo(["findings"])}>all findings</a>}>
                {findings.map((finding) => (
                  <FindingLine key={finding.id} finding={finding} />
                ))}
              </Section>
            )}
            <Section title="Requests" note={routes.length > 0 && sumUp(routes, minutes)}>
              {routes.length > 0 ? (
                <Routes routes={routes} />
              ) : (
                <NothingYet what="requests">
                  <p>
                    Look further back above, or at <a href={linkTo(["requests"])}>all requests that are kept</a>.
                  </p>
                </NothingYet>
              )}
            </Section>
            {(processes.length > 0 || routes.length > 0) && (
              <Section title="Processes" note={formatPlural(processes.length, "process", "processes")}>
                {processes.length > 0 ? (
                  <div class="cards">
                    {processes.map((process) => (
                      <Process key={`${process.service} ${process.instance}`} process={process} />
                    ))}
                  </div>
                ) : (
                  <Empty title="No process tells of its event loop and memory.">
                    <p>Apps under Telltale do; others send runtime metrics where their SDK's metrics are on.</p>
                  </Empty>
                )}
              </Section>
            )}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function sumUp(routes: readonly RouteNow[], minutes: number): string {
  const sum = (of: (route: RouteNow) => number) => routes.reduce((total, route) => total + of(route), 0);
  const requests = sum((route) => route.requests);
  const errors = sum((route) => route.errors);
  const span = minutes < 60 ? `${minutes} min` : `${minutes / 60} h`;
  return `${formatPlural(requests, "request")} in ${span}, ${formatCount(sum((route) => route.perSecond))}/s, ${
    errors === 0 ? "no errors" : `${formatPlural(errors, "error")} (${formatShare(errors / requests)})`
  }`;
}

const idOf = ({ service, route }: RouteNow): string => JSON.stringify([service, route]);

function Routes({ routes }: { readonly routes: readonly RouteNow[] }) {
  const requestsOf = ({ service, route }: RouteNow) => linkTo(["requests"], { service, route });
  const chosen = useRowKeys("Requests by route", routes.map(idOf), (id) => {
    const route = routes.find((one) => idOf(one) === id);
    if (route) navigate(requestsOf(route));
  });
  const hasServices = new Set(routes.map(({ service }) => service)).size > 1;
  const totalMs = routes.reduce((total, route) => total + route.totalMs, 0);
  // One scale for all: the pictures of two routes can be compared.
  const slowest = Math.max(...routes.flatMap(({ p95 }) => p95.values.map((value) => value ?? 0)));
  return (
    <div class="scroll">
      <table class="routes">
        <thead>
          <tr>
            <th scope="col">Route</th>
            <th scope="col" class="num less">
              Requests
            </th>
            <th scope="col" class="num">
              Rate
            </th>
            <td class="less" />
            <th scope="col" class="num">
              p50
            </th>
            <th scope="col" class="num">
              p95
            </th>
            <td class="less" />
            <th scope="col" class="num">
              p99
            </th>
            <th scope="col" class="num">
              Errors
            </th>
            <td class="less" />
            <th scope="col" class="num less" title="Share of the time that all requests took">
              Time
            </th>
          </tr>
        </thead>
        <tbody>
          {routes.map((route) => (
            <tr key={idOf(route)} data-row={idOf(route)} aria-selected={idOf(route) === chosen}>
              <td>
                <a href={requestsOf(route)}>{showLine(route.route)}</a>{" "}
                {hasServices && <small>{showLine(route.service, 60)}</small>}
              </td>
              <td class="num less">{formatCount(route.requests)}</td>
              <td class="num">{formatCount(route.perSecond)}/s</td>
              <td class="spark less">
                <Sparkline label="requests per second" steps={route.rate} unit="1/s" />
              </td>
              <td class="num">{formatMs(route.p50Ms)}</td>
              <td class="num">{formatMs(route.p95Ms)}</td>
              <td class="spark less">
                <Sparkline label="p95 duration" steps={route.p95} unit="ms" index={1} max={slowest} />
              </td>
              <td class="num">{formatMs(route.p99Ms)}</td>
              <td class="num">
                {route.errors === 0 ? (
                  <span class="dim">0</span>
                ) : (
                  <a
                    class="bad"
                    href={linkTo(["requests"], { service: route.service, route: route.route, status: "error" })}
                  >
                    ✕ {formatCount(route.errors)} <small>{formatShare(route.errors / route.requests)}</small>
                  </a>
                )}
              </td>
              <td class="spark less">
                {route.errors > 0 && <Sparkline label="errors" steps={route.errorRate} unit="%" index={3} max={1} />}
              </td>
              <td class="num less">{formatShare(totalMs > 0 ? route.totalMs / totalMs : 0)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Process({ process }: { readonly process: ProcessNow }) {
  return (
    <article class="card" aria-label={`${process.service} ${process.instance}`}>
      <h3>
        {showLine(process.service, 60)} <small class="ellipsis">{showLine(process.instance, 100)}</small>
      </h3>
      <dl>
        <Gauge name="event loop delay, p99" steps={process.loopDelayP99Ms} unit="ms" write={formatMs} />
        <Gauge name="event loop busy" steps={process.loopUtilization} unit="%" write={formatShare} max={1} />
        <Gauge name="processor" steps={process.cpu} unit="%" write={formatShare} max={1} />
        <Gauge name="heap used" steps={process.heapUsedBytes} unit="By" write={formatBytes} />
        <Gauge name="memory (RSS)" steps={process.rssBytes} unit="By" write={formatBytes} />
      </dl>
    </article>
  );
}

function Gauge({
  name,
  steps,
  unit,
  write,
  max,
}: {
  readonly name: string;
  readonly steps: Steps;
  readonly unit: string;
  readonly write: (value: number | null | undefined) => string;
  readonly max?: number;
}) {
  const last = steps.values.findLast((value) => value !== null);
  // Not all SDKs tell all of it.
  if (last === undefined) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd class="num">{write(last)}</dd>
      <dd class="spark">
        <Sparkline label={name} steps={steps} unit={unit} {...(max !== undefined && { max })} />
      </dd>
    </div>
  );
}
