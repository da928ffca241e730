import { limitOf, type Request, type TakenSite, wantSite } from "@telltale/core";
import { endpointOf } from "../findings/describe.js";
import type { Calls, Repetition } from "./calls.js";
import type { Subject } from "./subject.js";

/** Subjects whose loops are remembered, and endpoints for each. */
const MAX_SUBJECTS = 1_000;
const MAX_ENDPOINTS = 50;
const forgotten = limitOf("loop.sites");

/**
 * Where the calls of loops are made. A shape may be called from anywhere, so only what the calls of a loop gave is taken for its place, and
 * remembered for that endpoint.
 */
export class LoopSites {
  private readonly subjects = new Set<Subject>();

  /** To be asked when a second call of a request has ended: the next is most probably of its loop, too, if it was found to have one. */
  arm({ subject: { loops }, holder }: Calls, request: Request | undefined): void {
    if (loops === undefined) return;
    const endpoint = endpointOf(request);
    if (loops.has(endpoint) && loops.get(endpoint) === undefined) wantSite(holder);
  }

  /** The place of a loop that was found just now, if it is known by now. */
  find({ subject, holder, site }: Calls, { overlaps }: Repetition, request: Request): TakenSite | undefined {
    const loops = (subject.loops ??= this.add(subject));
    const endpoint = endpointOf(request);
    const known = site ?? loops.get(endpoint);
    if (loops.size < MAX_ENDPOINTS || loops.has(endpoint)) loops.set(endpoint, known);
    // Calls that are sent at once give no time to ask for the next ones: whichever comes next is to tell.
    if (known === undefined && overlaps > 0) wantSite(holder);
    return known;
  }

  private add(subject: Subject): NonNullable<Subject["loops"]> {
    for (const oldest of this.subjects) {
      if (this.subjects.size < MAX_SUBJECTS) break;
      this.subjects.delete(oldest);
      oldest.loops = undefined;
      forgotten.total += 1;
    }
    this.subjects.add(subject);
    return new Map();
  }
}
