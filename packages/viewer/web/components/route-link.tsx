import { linkTo } from "../router.js";
import { showLine } from "../show-text.js";

/** To the requests of a route; what ran outside of any request leads nowhere. */
export function RouteLink({
  service,
  route,
  note = "",
}: {
  readonly service: string;
  readonly route: string;
  readonly note?: string;
}) {
  if (route === "") {
    return (
      <span class="dim">
        outside of any known request <small>{showLine(note, 60)}</small>
      </span>
    );
  }
  return (
    <a class="two-lines" title={showLine(route)} href={linkTo(["requests"], { service, route })}>
      {showLine(route)} <small>{showLine(note, 60)}</small>
    </a>
  );
}
