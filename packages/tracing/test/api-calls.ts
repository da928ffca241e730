import {
  type Attributes,
  type AttributeValue,
  type Context,
  context,
  type Exception,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanOptions,
  type SpanStatus,
  type TimeInput,
  type Tracer,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import {
  type Arbitrary,
  array,
  boolean,
  constantFrom,
  letrec,
  nat,
  oneof,
  option,
  record,
  stringify,
  toStringMethod,
  tuple,
} from "fast-check";
import {
  attributeKeys,
  attributeSets,
  exceptions,
  foreignContexts,
  linkTargets,
  looseTimes,
  texts,
  times,
  values,
} from "./values.js";

/** One call of the API, on one of the spans made so far; what it did is noted. */
export type Call = (run: Run) => void;

/** Spans and notes of a sequence of calls against one provider. */
export class Run {
  /** In the order in which they were started. */
  readonly spans: Span[] = [];
  readonly notes: string[] = [];
  readonly provider: TracerProvider;

  constructor(provider: TracerProvider) {
    this.provider = provider;
  }

  on(index: number, use: (span: Span) => unknown): void {
    const span = this.spans[index % this.spans.length];
    if (span === undefined) return;
    const returned = use(span);
    this.notes.push(`${returned === span ? "itself" : String(returned)}, recording: ${span.isRecording()}`);
  }

  started(span: Span): Span {
    this.spans.push(span);
    const { traceFlags, traceState, isRemote } = span.spanContext();
    this.notes.push(`${span.isRecording()} ${traceFlags} ${traceState?.serialize()} ${isRemote}`);
    return span;
  }
}

export function performCalls(calls: readonly Call[], provider: TracerProvider): Run {
  const run = new Run(provider);
  for (const call of calls) call(run);
  for (const span of run.spans) if (span.isRecording()) span.end();
  return run;
}

/** Says in a counterexample what is called. */
function named<T extends object>(name: string, parts: readonly unknown[], call: T): T {
  return Object.assign(call, { [toStringMethod]: () => `${name}(${parts.map((part) => stringify(part)).join(", ")})` });
}

// What TypeScript forbids comes from JavaScript all the same.
const asAttributes = (value: unknown) => value as Attributes;
const asTime = (value: unknown) => value as TimeInput;

const tracers: Arbitrary<(provider: TracerProvider) => Tracer> = tuple(
  constantFrom("app", "lib", "ünï", ""),
  constantFrom(undefined, "", "1.0.0"),
  constantFrom(undefined, {}, { schemaUrl: "" }, { schemaUrl: "https://opentelemetry.io/schemas/1.37.0" }),
).map(([name, version, options]) =>
  named("getTracer", [name, version, options], (provider: TracerProvider) =>
    provider.getTracer(name, version, options),
  ),
);

const links: Arbitrary<Link> = record(
  { context: linkTargets, attributes: attributeSets.map(asAttributes) },
  { requiredKeys: ["context"] },
);

const spanOptions: Arbitrary<SpanOptions | undefined> = option(
  record(
    {
      kind: constantFrom(0, 1, 2, 3, 4),
      root: boolean(),
      attributes: attributeSets.map(asAttributes),
      links: array(links, { maxLength: 5 }),
      startTime: looseTimes.map(asTime),
    },
    { requiredKeys: [] },
  ),
  { nil: undefined },
);

/** The active context, one with a span that was started before, or one from elsewhere. */
const contexts: Arbitrary<(run: Run) => Context | undefined> = oneof(
  nat(20).map((index) =>
    named("contextOfSpan", [index], (run: Run) => {
      const span = run.spans[index % Math.max(1, run.spans.length)];
      return span === undefined ? undefined : trace.setSpan(ROOT_CONTEXT, span);
    }),
  ),
  foreignContexts.map((foreign) => named("foreign", [foreign], () => foreign)),
  constantFrom(named("active", [], () => undefined)),
);

const start: Arbitrary<Call> = tuple(tracers, texts, spanOptions, contexts).map((parts) =>
  named("startSpan", parts, (run: Run) => {
    const [tracerOf, name, options, contextOf] = parts;
    run.started(tracerOf(run.provider).startSpan(name, options, contextOf(run)));
  }),
);

function startActive(inner: Arbitrary<readonly Call[]>): Arbitrary<Call> {
  return tuple(tracers, texts, spanOptions, contexts, inner, nat(2)).map((parts) =>
    named("startActiveSpan", parts, (run: Run) => {
      const [tracerOf, name, options, contextOf, body, form] = parts;
      const tracer = tracerOf(run.provider);
      const inside = (span: Span): string => {
        run.started(span);
        run.notes.push(String(trace.getActiveSpan() === span));
        for (const call of body) call(run);
        return "returned";
      };
      const given = contextOf(run);
      if (form === 0) run.notes.push(tracer.startActiveSpan(name, inside));
      else if (form === 1 || given === undefined) run.notes.push(tracer.startActiveSpan(name, options ?? {}, inside));
      else run.notes.push(tracer.startActiveSpan(name, options ?? {}, given, inside));
    }),
  );
}

function within(inner: Arbitrary<readonly Call[]>): Arbitrary<Call> {
  return tuple(foreignContexts, inner).map((parts) =>
    named("within", parts, (run: Run) => {
      const [foreign, body] = parts;
      context.with(foreign, () => {
        for (const call of body) call(run);
      });
    }),
  );
}

/** A call on one of the spans, with generated arguments. */
function onSpan<T extends unknown[]>(
  name: string,
  given: Arbitrary<T>,
  use: (span: Span, ...parts: T) => unknown,
): Arbitrary<Call> {
  return tuple(nat(20), given).map(([index, parts]) =>
    named(name, [index, ...parts], (run: Run) => run.on(index, (span) => use(span, ...parts))),
  );
}

const statuses = tuple(constantFrom(0, 1, 2), constantFrom<unknown>(undefined, "", "bad", null, 5)).map(
  ([code, message]) => (message === undefined ? { code } : { code, message }) as SpanStatus,
);

/** A text has no attributes; the SDK makes one of each of its letters. */
const sets = attributeSets.filter((set) => typeof set !== "string");

export const calls: Arbitrary<readonly Call[]> = letrec<{ call: Call; calls: readonly Call[] }>((tie) => ({
  call: oneof(
    { maxDepth: 3 },
    { weight: 6, arbitrary: start },
    { weight: 3, arbitrary: startActive(tie("calls")) },
    { weight: 2, arbitrary: within(tie("calls")) },
    {
      weight: 4,
      arbitrary: onSpan("setAttribute", tuple(attributeKeys, values), (span, key, value) =>
        span.setAttribute(key, value as AttributeValue),
      ),
    },
    {
      weight: 3,
      arbitrary: onSpan("setAttributes", tuple(sets), (span, set) => span.setAttributes(asAttributes(set))),
    },
    {
      weight: 2,
      arbitrary: onSpan("addEvent", tuple(texts, attributeSets), (span, name, set) =>
        span.addEvent(name, asAttributes(set)),
      ),
    },
    {
      weight: 2,
      arbitrary: onSpan("addEvent", tuple(texts, attributeSets, looseTimes), (span, name, set, time) =>
        span.addEvent(name, asAttributes(set), asTime(time)),
      ),
    },
    { weight: 1, arbitrary: onSpan("addEvent", tuple(texts, times), (span, name, time) => span.addEvent(name, time)) },
    { weight: 2, arbitrary: onSpan("addLink", tuple(links), (span, link) => span.addLink(link)) },
    {
      weight: 1,
      arbitrary: onSpan("addLinks", tuple(array(links, { maxLength: 4 })), (span, list) => span.addLinks(list)),
    },
    { weight: 2, arbitrary: onSpan("setStatus", tuple(statuses), (span, status) => span.setStatus(status)) },
    { weight: 1, arbitrary: onSpan("updateName", tuple(texts), (span, name) => span.updateName(name)) },
    {
      weight: 2,
      arbitrary: onSpan("recordException", tuple(exceptions, looseTimes), (span, exception, time) =>
        span.recordException(exception as Exception, asTime(time)),
      ),
    },
    { weight: 5, arbitrary: onSpan("end", tuple(looseTimes), (span, time) => span.end(asTime(time))) },
  ),
  calls: array(tie("call"), { maxLength: 12, size: "max" }),
})).calls;
