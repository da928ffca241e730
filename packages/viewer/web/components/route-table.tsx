import type { ComponentChildren } from "preact";
import { Fragment } from "preact";
import type { RouteNow } from "../../src/api/answers.js";
import { formatCount, formatMs, formatShare } from "../format.js";
import { linkTo, navigate } from "../router.js";
import { showLine } from "../show-text.js";
import { type Column, ColumnHead, useSorted } from "./data-table.js";
import { useRowKeys } from "./row-keys.js";
import { Sparkline } from "./sparkline.js";

/** Pictures are left out where there is no room. */
type RouteColumn = Column<RouteNow> & { readonly picture?: (route: RouteNow) => ComponentChildren };

const requestsOf = ({ service, route }: RouteNow, status?: string): string =>
  linkTo(["requests"], { service, route, status });
const rowOf = ({ service, route }: RouteNow): string => JSON.stringify([service, route]);

/** Routes with their rates, durations and errors; the busiest first, or by any column. */
export function RouteTable({ routes }: { readonly routes: readonly RouteNow[] }) {
  const columns = describeColumns(routes);
  const { rows, order } = useSorted(columns, routes, "time");
  const chosen = useRowKeys("Requests by route", rows.map(rowOf), (id) => {
    const route = rows.find((one) => rowOf(one) === id);
    if (route) navigate(requestsOf(route));
  });
  return (
    <div class="scroll">
      <table class="routes">
        <thead>
          <tr>
            {columns.map((column) => (
              <Fragment key={column.key}>
                <ColumnHead column={column} order={order} />
                {column.picture && <td class="spark" />}
              </Fragment>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((route) => (
            <tr key={rowOf(route)} data-row={rowOf(route)} aria-selected={rowOf(route) === chosen}>
              {columns.map(({ key, isNumber, cell, picture }) => (
                <Fragment key={key}>
                  <td class={isNumber ? "num" : ""}>{cell(route)}</td>
                  {picture && <td class="spark">{picture(route)}</td>}
                </Fragment>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function describeColumns(routes: readonly RouteNow[]): readonly RouteColumn[] {
  const hasServices = new Set(routes.map(({ service }) => service)).size > 1;
  const hasErrors = routes.some(({ errors }) => errors > 0);
  const totalMs = routes.reduce((total, route) => total + route.totalMs, 0);
  // One scale for all: the pictures of two routes can be compared.
  const slowestMs = routes.reduce((most, { p95 }) => Math.max(most, ...p95.values.map((value) => value ?? 0)), 0);
  return [
    {
      key: "route",
      title: "Route",
      sortBy: ({ route }) => route,
      cell: (route) => (
        <>
          <a href={requestsOf(route)}>{showLine(route.route)}</a>{" "}
          {hasServices && <small>{showLine(route.service, 60)}</small>}
        </>
      ),
    },
    number("requests", "Requests", ({ requests }) => requests, formatCount),
    {
      ...number(
        "rate",
        "Rate",
        ({ perSecond }) => perSecond,
        (rate) => `${formatCount(rate)}/s`,
      ),
      picture: ({ rate }) => <Sparkline label="requests per second" steps={rate} unit="1/s" />,
    },
    number("p50", "p50", ({ p50Ms }) => p50Ms, formatMs),
    {
      ...number("p95", "p95", ({ p95Ms }) => p95Ms, formatMs),
      picture: ({ p95 }) => <Sparkline label="p95 duration" steps={p95} unit="ms" index={1} max={slowestMs} />,
    },
    number("p99", "p99", ({ p99Ms }) => p99Ms, formatMs),
    {
      key: "errors",
      title: "Errors",
      isNumber: true,
      sortBy: ({ errors }) => errors,
      cell: (route) =>
        route.errors === 0 ? (
          <span class="dim">0</span>
        ) : (
          <a class="bad" href={requestsOf(route, "error")}>
            ✕ {formatCount(route.errors)} <small>{formatShare(route.errors / route.requests)}</small>
          </a>
        ),
      ...(hasErrors && {
        picture: ({ errors, errorRate }: RouteNow) =>
          errors > 0 && <Sparkline label="errors" steps={errorRate} unit="%" index={3} max={1} />,
      }),
    },
    number(
      "time",
      "Time",
      ({ totalMs }) => totalMs,
      (ms) => formatShare(totalMs > 0 ? ms / totalMs : 0),
    ),
  ];
}

function number(
  key: string,
  title: string,
  of: (route: RouteNow) => number,
  write: (value: number) => string,
): Column<RouteNow> {
  return { key, title, isNumber: true, sortBy: of, cell: (route) => write(of(route)) };
}
