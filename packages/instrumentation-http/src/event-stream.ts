/** Types of responses that have no end of their own: https://html.spec.whatwg.org/multipage/server-sent-events.html and pushed images. */
const ENDLESS = /^\s*(?:text\/event-stream|multipart\/x-mixed-replace)\b/i;

/** Whether a response may go on for ever. Its operation ends with the head: how long it stays open says nothing of the server, and nobody would see its span meanwhile. */
export function isEventStream(contentType: string | undefined): boolean {
  return contentType !== undefined && ENDLESS.test(contentType);
}
