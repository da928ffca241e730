import { Page } from "../components/page.js";

export function MetricPage({ name }: { readonly name: string }) {
  return <Page title="Metric">{name}</Page>;
}
