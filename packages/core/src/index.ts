export { Attached } from "./attached.js";
export {
  type CallSite,
  lastSiteOf,
  type SiteHolder,
  siteKeyOf,
  sitesWanted,
  siteWanted,
  takeAllSites,
  type TakenSite,
  takeSite,
  wantSite,
} from "./call-site.js";
export {
  type CacheLookup,
  type CacheResult,
  cacheNameOf,
  type KeyUse,
  nameCaches,
  reportKeyOf,
  reportLookup,
  reportLookupOf,
  reportWrite,
} from "./cache.js";
export { hearCaches, isHeardCache, nameCache, nameOfCache } from "./cache-names.js";
export { epochOriginMs } from "./clock.js";
export { codeAt, startsWith } from "./code-at.js";
export { requestOf, spanOf, withRequest, withSpan } from "./context.js";
export { enterContext, setEnterContext } from "./enter-context.js";
export { createTargets, type DatabasePlace, type DatabaseTarget } from "./database-targets.js";
export {
  type AttributeSink,
  describeAnswer,
  describeArrival,
  describeEnd,
  describeOutcome,
  describeRequest,
  describeStart,
  describeTemplate,
  describeWait,
  errorMessageOf,
  spanKindOf,
  spanNameOf,
  startAttributesOf,
} from "./describe-span.js";
export { type DriverConnection, findConnection, knowConnections } from "./driver-connections.js";
export { LOOP_LATE_MS, LOOP_PERIOD_MS, type LoopLook, peekAtEventLoop, watchEventLoop } from "./event-loop.js";
export type { Explainer, ExplainJob, Explanation, PlanAdvice } from "./explain.js";
export { NotExplained, workOnOwnConnection } from "./explain-connection.js";
export { isExported, keepForFinding } from "./exported.js";
export { Generations } from "./generations.js";
export {
  type Finding,
  type FindingKind,
  type FindingRecord,
  type FindingSeverity,
  KINDS_OF_FINDINGS,
  type Why,
} from "./finding.js";
export {
  createKnownFindings,
  type KnownFinding,
  type KnownFindings,
  readKnownFindings,
  writeKnownFindings,
} from "./known-findings.js";
export { attempt, createGuard, failedOn, type Guard, settle } from "./guard.js";
export {
  deferInstrumentation,
  defineInstrumentation,
  enabledInstrumentations,
  type Instrumentation,
  type InstrumentationDefinition,
  type InstrumentationOutline,
  type InstrumentationState,
  type InstrumentedModule,
  sayLateModules,
  type SeenModule,
  seenModules,
  type SupportedModule,
  whyUnsupported,
} from "./instrumentation.js";
export { type InLine, Line } from "./line.js";
export type { Loan, Waiter } from "./loans.js";
export { type KeyCommand, KeyTemplates } from "./key-templates.js";
export { KnownPools } from "./known-pools.js";
export { createLabelSet, type LabelSet, OVERFLOW_LABEL } from "./labels.js";
export {
  addListener,
  findingMade,
  findingTold,
  hasListeners,
  hearsKeys,
  type Listener,
  requestSlot,
  templateSlot,
  operationStarted,
} from "./listeners.js";
export { METRIC_ATTRIBUTES } from "./metric-attributes.js";
export { type InstrumentKind, type MetricDefinition, METRICS } from "./metric-names.js";
export {
  countMysqlRows,
  databaseUsed,
  failMysql,
  findMysqlTarget,
  type MysqlAddress,
  mysqlPoolName,
  type MysqlSystem,
  mysqlSystemOf,
  placeOfMysql,
} from "./mysql.js";
export {
  announceModule,
  type FileHook,
  type LoadedModule,
  type LoadingModule,
  onFileLoad,
  onModuleLoad,
  requireInner,
} from "./module-hook.js";
export {
  annotateOperation,
  contextOf,
  DatabaseOperation,
  type DatabaseTemplate,
  endOperation,
  endResponse,
  errorType,
  failOperation,
  type HttpClientOperation,
  type HttpClientStart,
  type HttpServerOperation,
  type HttpServerStart,
  type Operation,
  startDatabaseOperation,
  startHttpClientOperation,
  startHttpServerOperation,
} from "./operation.js";
export { OuterLookup } from "./outer-lookup.js";
export { outsideRequests } from "./outside-requests.js";
export { installedFolder, targetsOf } from "./package-files.js";
export {
  allPools,
  type HttpPlace,
  type Pool,
  type PoolReading,
  type PoolReporter,
  type PoolSource,
  type PoolTiming,
  readPools,
  registerPool,
} from "./pool.js";
export { failPostgresql, findPostgresqlTarget, placeOfPostgresql } from "./postgresql.js";
export { PoolCall, type PoolLink } from "./pool-call.js";
export {
  type FamilyType,
  type Named,
  type Naming,
  type NamingStrategy,
  noTranslation,
  underscoreEscapingWithSuffixes,
  unitOf,
} from "./prometheus/naming.js";
export { namings, upstream } from "./prometheus/namings.js";
export { analyzeQuery } from "./query/analyze-query.js";
export type { QueryShape, SqlDialect } from "./query/query-shape.js";
export { createShapeCache, type ShapeCache } from "./query/shape-cache.js";
export { replaceMethod } from "./replace-method.js";
export { activeRequest, isSuppressed, type Request, suppress } from "./request.js";
export { say, type SayLevel, sayOnce, setSay } from "./say.js";
export { ServerFailure } from "./server-failure.js";
export { count, counterOf, limitOf, type SelfCounter, selfCounters, type SelfMetric } from "./self.js";
export { Slices } from "./slices.js";
export { addSpanListener } from "./spans.js";
export { locateFrame } from "./stack-frames.js";
export { undoAll } from "./undo.js";
export { startImmediate, startTick, startTimer, stopTimer } from "./timers.js";
export { VERSION } from "./version.js";
