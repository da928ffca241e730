import type { Now, RouteNow } from "../../src/api/answers.js";
import { apiPath, useApi } from "../api.js";
import { FindingLine } from "../components/finding-line.js";
import { Empty, Loaded, NothingYet, Page, Section } from "../components/page.js";
import { ProcessCard } from "../components/process-card.js";
import { RouteTable } from "../components/route-table.js";
import { useMinutes, WindowPicker } from "../components/window-picker.js";
import { formatCount, formatPlural, formatShare } from "../format.js";
import { linkTo, usePlace } from "../router.js";

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
                <RouteTable routes={routes} />
              ) : (
                <NothingYet what="requests">
                  <p>
                    Send the program one, look further back above, or at{" "}
                    <a href={linkTo(["requests"])}>all requests that are kept</a>.
                  </p>
                </NothingYet>
              )}
            </Section>
            {(processes.length > 0 || routes.length > 0) && (
              <Section title="Processes" note={formatPlural(processes.length, "process", "processes")}>
                {processes.length > 0 ? (
                  <div class="process-cards">
                    {processes.map((process) => (
                      <ProcessCard key={`${process.service} ${process.instance}`} process={process} />
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
