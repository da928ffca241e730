import { apiPath } from "../api.js";
import { Loaded, NothingYet, Page } from "../components/page.js";
import { RequestFilter, useRequestFilter } from "../components/request-filter.js";
import { RequestRow } from "../components/request-row.js";
import { useRowKeys } from "../components/row-keys.js";
import { formatCount, formatPlural } from "../format.js";
import { useKeys } from "../keyboard.js";
import { linkTo, navigate } from "../router.js";
import { idOf } from "./merge-requests.js";
import { useRequests } from "./requests-list.js";

export function RequestsPage() {
  const filter = useRequestFilter();
  const list = useRequests(apiPath(["requests"], filter.values));
  const { requests, services, routes, waiting } = list;

  const open = (id: string) => {
    const request = requests.find((one) => idOf(one) === id);
    if (request) navigate(linkTo(["trace", request.traceId], { span: request.spanId }));
  };
  const chosen = useRowKeys("Requests", requests.map(idOf), open);
  useKeys("Requests", [{ keys: "n", what: "show new ones", run: list.showNew }]);

  const slowestMs = requests.reduce((most, { durationMs }) => Math.max(most, durationMs), 0);
  return (
    <Page
      title="Requests"
      tools={
        <label title="New requests come into the list by themselves">
          <input
            type="checkbox"
            checked={list.isFollowing}
            onChange={(event) => list.follow(event.currentTarget.checked)}
          />{" "}
          follow
        </label>
      }
    >
      <RequestFilter filter={filter} routes={routes} />
      <Loaded answer={list.answer}>
        {() =>
          requests.length === 0 ? (
            <NothingYet what="requests">
              {filter.isSet && (
                <p>
                  Of what is kept, nothing is like that.{" "}
                  <button type="button" onClick={filter.clear}>
                    Show all
                  </button>
                </p>
              )}
            </NothingYet>
          ) : (
            <>
              <div class="requests-head">
                <span>Time</span>
                <span>Status</span>
                <span>Route</span>
                <span class="announce" aria-live="polite">
                  {waiting > 0 && (
                    <button type="button" onClick={list.showNew} title="n">
                      ↑ {formatCount(waiting)}
                      {list.hasGap ? " or more" : ""} new
                    </button>
                  )}
                </span>
                <span class="did">
                  <span>Queries</span>
                  <span>Cache lookups</span>
                  <span>HTTP calls</span>
                </span>
                <span class="num">Duration</span>
              </div>
              <ol class="requests" aria-label="Requests, newest first">
                {requests.map((request) => (
                  <RequestRow
                    key={idOf(request)}
                    id={idOf(request)}
                    request={request}
                    slowestMs={slowestMs}
                    hasServices={services.length > 1}
                    isChosen={idOf(request) === chosen}
                  />
                ))}
              </ol>
              <p class="more">
                {list.loadMore ? (
                  <button type="button" onClick={list.loadMore} disabled={list.isLoadingMore}>
                    {list.isLoadingMore ? "Reading…" : "Load more"}
                  </button>
                ) : (
                  <span class="dim">{formatPlural(requests.length, "request")}: these are all.</span>
                )}
                {list.problem !== undefined && <span class="bad"> ✕ {list.problem}</span>}
              </p>
            </>
          )
        }
      </Loaded>
    </Page>
  );
}
