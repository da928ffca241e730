/**
 * Requests that failed by our own fault: 5xx and errors. A client that left before there was an answer (`aborted`) is not among them;
 * where it left because it had to wait, durations tell.
 */
export const FAILED = { "error.type": "!~|aborted" } as const;
