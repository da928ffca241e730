import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { Status } from "../../src/api/answers.js";
import { useApi, type Answer } from "../api.js";
import { CopyButton } from "./copy-button.js";

/** A page's heading, its tools beside it, and what is below. */
export function Page({
  title,
  heading = title,
  tools,
  children,
}: {
  /** Of the tab, and the heading where there is no `heading`. */
  readonly title: string;
  readonly heading?: ComponentChildren;
  readonly tools?: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  useEffect(() => {
    document.title = `${title} · Telltale`;
  }, [title]);
  return (
    <>
      <div class="page-head">
        <h1>{heading}</h1>
        {tools && <div class="tools">{tools}</div>}
      </div>
      {children}
    </>
  );
}

/** Part of a page, with a heading. */
export function Section({
  title,
  note,
  children,
}: {
  readonly title: string;
  /** Beside the heading, small. */
  readonly note?: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  return (
    <section class="section">
      <h2>
        {title} {note && <small>{note}</small>}
      </h2>
      {children}
    </section>
  );
}

/** `children` with what `answer` holds; before that, that it is being read, or why it is not there. An error after an answer stands above it. */
export function Loaded<T>({
  answer,
  children,
}: {
  readonly answer: Answer<T>;
  readonly children: (data: T) => ComponentChildren;
}) {
  const { data, error, refresh } = answer;
  return (
    <>
      {error && (
        <div class="problem" role="alert">
          <strong>✕ {error.message}</strong>{" "}
          <button type="button" onClick={refresh}>
            Try again
          </button>
        </div>
      )}
      {data !== undefined ? children(data) : !error && <p class="loading">Reading…</p>}
    </>
  );
}

/** Where there is nothing to show: why, and what would change that. */
export function Empty({ title, children }: { readonly title: string; readonly children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p>
        <strong>{title}</strong>
      </p>
      {children}
    </div>
  );
}

/** Where nothing has come: the commands that send something here. With telemetry from elsewhere, `children` instead, or nothing. */
export function NothingYet({
  what,
  isOfAllTime = false,
  children,
}: {
  readonly what: string;
  /** The page shows all that is kept, not that of the last minutes. */
  readonly isOfAllTime?: boolean;
  readonly children?: ComponentChildren;
}) {
  const { data: status } = useApi<Status>("/api/status", ["spans", "metrics"]);
  if (!status) return null;
  // What a file kept was received by the viewer before.
  if ([status.spans, status.points, status.logs].some(({ received, held }) => received + held > 0)) {
    return <Empty title={`No ${what} ${isOfAllTime ? "yet" : "in this time"}.`}>{children}</Empty>;
  }
  return (
    <Empty title="No telemetry yet.">
      <p>Run an app under Telltale:</p>
      <Command text="npx telltale dev app.js" />
      <p>or point any OpenTelemetry SDK here, and start the app:</p>
      <Command
        text={`export OTEL_EXPORTER_OTLP_ENDPOINT=${status.otlpUrl} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`}
      />
    </Empty>
  );
}

/** A command to run, with a button that copies it. */
export function Command({ text }: { readonly text: string }) {
  return (
    <div class="command">
      <code>{text}</code>
      <CopyButton text={text} />
    </div>
  );
}
