/** `note`: as it is, and worth knowing. `warning`: something may be missing. `problem`: something will be. */
export type Status = "ok" | "note" | "warning" | "problem";

/** One thing that was looked at. Texts hold no values of variables and no credentials. */
export interface Check {
  readonly subject: string;
  readonly status: Status;
  readonly text: string;
  /** What to do about it. */
  readonly cure?: string;
}

/** A library as it is installed for the app. */
export interface Library {
  readonly name: string;
  readonly version: string;
  /** Its folder; undefined where it is part of the app's own file. */
  readonly folder: string | undefined;
  readonly state: "heard" | "unsupported" | "off" | "late" | "bundled" | "unknown";
}
