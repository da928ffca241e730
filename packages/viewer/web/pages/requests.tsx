import { apiPath } from "../api.js";
import { Empty, Loaded, NothingYet, Page } from "../components/page.js";
import { RequestFilter, useRequestFilter } from "../components/request-filter.js";
import { RequestRow } from "../components/request-row.js";
import { useRowKeys } from "../components/row-keys.js";
import { formatCount, formatPlural } from "../format.js";
import { useKeys } from "../keyboard.js";
import { linkTo, navigate } from "../router.js";
import { idOf } from "./merge-requests.js";
import { useRequests, type RequestList } from "./requests-list.js";

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
            <Nothing list={list} isFiltered={filter.isSet} showAll={filter.clear} />
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

function Nothing({
  list: { loadMore, isLoadingMore, problem },
  isFiltered,
  showAll,
}: {
  readonly list: RequestList;
  readonly isFiltered: boolean;
  readonly showAll: () => void;
}) {
  if (!isFiltered) {
    return (
      <NothingYet what="requests" isOfAllTime>
        <p>A program is heard. Open a page of it or send it a request: it is here as soon as it is answered.</p>
      </NothingYet>
    );
  }
  return (
    <Empty title={loadMore ? "None of the newest requests is like that." : "No request that is kept is like that."}>
      {problem !== undefined && <p class="bad">✕ {problem}</p>}
      {loadMore && (
        <button type="button" onClick={loadMore} disabled={isLoadingMore}>
          {isLoadingMore ? "Searching…" : "Search further back"}
        </button>
      )}{" "}
      <button type="button" onClick={showAll}>
        Show all
      </button>
    </Empty>
  );
}
