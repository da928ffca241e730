import { Page } from "../../components/page.js";

export function TracePage({ traceId }: { readonly traceId: string }) {
  return <Page title="Trace">{traceId}</Page>;
}
